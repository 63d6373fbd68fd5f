"""Creates the Kafka clients of a consumer process, and prepares its topics.

Every option that the consumer relies on is set here, and not left to a default.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaClient
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaConnectionError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from consumers.kafka.aiokafka_private import Reader
from consumers.kafka.denials import DeniedError
from consumers.kafka.metadata import Operation, TopicState, find_topic
from service.runtime.settings import KafkaSettings
from service.runtime.tls import Tls

# The group coordinator holds a member's request to join for up to the rebalance timeout, so this timeout must be
# shorter than that of a request.
REBALANCE_TIMEOUT_MS = 10_000
_REQUEST_TIMEOUT_MS = 15_000  # a broker that hangs is given up after this
_METADATA_AGE_MS = 3_000  # new partitions of the topic are assigned about so much later
_FETCH_WAIT_MS = 100  # the watermark of an idle partition is about two of these old


def connection_options(settings: KafkaSettings) -> dict[str, Any]:
    """Returns the options that every Kafka client of these settings is created with.

    Reads the files of TLS, anew for each set of clients: certificates are replaced while a process runs. Raises
    KafkaConnectionError if they are not as the settings have found them.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "security_protocol": settings.kafka_security_protocol,
        "request_timeout_ms": _REQUEST_TIMEOUT_MS,
    }
    if "SSL" in settings.kafka_security_protocol:
        tls = Tls(settings.kafka_ssl_cafile, settings.kafka_ssl_certfile, settings.kafka_ssl_keyfile)
        try:
            options["ssl_context"] = tls.context()
        except (OSError, ValueError) as error:
            raise KafkaConnectionError(f"a file of STATS_KAFKA_SSL_... cannot be read any more: {error}") from error
    if settings.kafka_sasl_mechanism and settings.kafka_sasl_password:
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_sasl_username
        options["sasl_plain_password"] = settings.kafka_sasl_password.get_secret_value()
    return options


def create_reader(settings: KafkaSettings, **group: Any) -> Reader:
    """Returns a reader that commits no offset by itself and seeks to no offset by itself.

    Without options for a group it has no partitions until it is assigned some.
    """
    return Reader(
        **connection_options(settings),
        client_id="gene-job-statistics",
        enable_auto_commit=False,
        auto_offset_reset="none",  # an offset out of range must raise an error
        isolation_level="read_committed",
        metadata_max_age_ms=_METADATA_AGE_MS,
        fetch_max_wait_ms=_FETCH_WAIT_MS,
        max_partition_fetch_bytes=4 * 1024 * 1024,
        fetch_max_bytes=32 * 1024 * 1024,
        check_crcs=True,
        **group,
    )


def create_consumer(settings: KafkaSettings, now_ms: Callable[[], int]) -> Reader:
    """Returns a reader in the consumers' group; a Consumer calls it.

    `now_ms` is the store's clock. The worker seeks to the store's offsets.
    """
    return create_reader(
        settings,
        now_ms=now_ms,
        group_id=settings.kafka_group_id,
        session_timeout_ms=10_000,  # the rebalance callbacks await nothing long, so heartbeats hardly pause
        heartbeat_interval_ms=1_000,
        rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
        max_poll_interval_ms=600_000,
        partition_assignment_strategy=(StickyPartitionAssignor,),
    )


async def prepare_topics(client: AIOKafkaClient, settings: KafkaSettings) -> bool:
    """Connects a client, and returns whether the topic of events exists; if so, creates a missing dead-letter topic.

    A Consumer calls it before it reads. Awaits the broker's answers. Raises DeniedError if our user may not read the
    one and write the other, as far as the broker says, and other KafkaErrors.
    """
    await client.bootstrap()
    topic = await _find_allowed(client, settings.kafka_topic, Operation.READ)
    if topic is None:
        return False
    letters = settings.kafka_dead_letter_topic
    if await _find_allowed(client, letters, Operation.WRITE) is None:
        async with _admin(settings) as admin:
            await _create_topic(admin, letters, topic.replicas)
        await _find_allowed(client, letters, Operation.WRITE)
    return True


async def _find_allowed(client: AIOKafkaClient, topic: str, operation: Operation) -> TopicState | None:
    """Returns what find_topic returns. Raises DeniedError if our user may not do this with the topic, or not see it."""
    try:
        found = await find_topic(client, topic)
    except TopicAuthorizationFailedError:
        found = None
        is_denied = True
    else:
        is_denied = found is not None and found.is_denied(operation)
    if is_denied:
        raise DeniedError(f"{operation.name.capitalize()} on topic {topic} is not granted")
    return found


@asynccontextmanager
async def _admin(settings: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**connection_options(settings))
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def _create_topic(admin: AIOKafkaAdminClient, topic: str, replicas: int) -> None:
    response = await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=max(replicas, 1))])
    for _, code, *message in response.topic_errors:
        error = for_code(code)
        if error in {TopicAuthorizationFailedError, ClusterAuthorizationFailedError}:
            raise DeniedError(f"topic {topic} does not exist, and Create on it is not granted")
        if code and error is not TopicAlreadyExistsError:
            raise error(f"creating topic {topic}: {message}")
