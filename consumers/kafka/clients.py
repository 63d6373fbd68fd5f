"""The Kafka clients of a consumer process: what they rely on is set here, not left to defaults."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaClient
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import TopicAlreadyExistsError, for_code
from aiokafka.helpers import create_ssl_context

from consumers.kafka.aiokafka_private import Reader
from consumers.kafka.metadata import find_topic
from service.runtime.settings import KafkaSettings

# A coordinator holds a member's request to join for up to the rebalance timeout: it must be the shorter of the two.
REBALANCE_TIMEOUT_MS = 10_000
_REQUEST_TIMEOUT_MS = 15_000  # a hung broker is given up after this
_METADATA_AGE_MS = 3_000  # partitions that the topic gets are assigned about so much later
_FETCH_WAIT_MS = 100  # an idle partition is as fresh as two of these


def connection_options(settings: KafkaSettings) -> dict[str, Any]:
    """Returns what every client of these settings is created with."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "security_protocol": settings.kafka_security_protocol,
        "request_timeout_ms": _REQUEST_TIMEOUT_MS,
    }
    if "SSL" in settings.kafka_security_protocol:
        cafile = settings.kafka_ssl_cafile
        options["ssl_context"] = create_ssl_context(cafile=str(cafile) if cafile else None)
    if settings.kafka_sasl_mechanism and settings.kafka_sasl_password:
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_sasl_username
        options["sasl_plain_password"] = settings.kafka_sasl_password.get_secret_value()
    return options


def create_reader(settings: KafkaSettings, **group: Any) -> Reader:
    """Returns a reader that commits nothing by itself and starts nowhere by itself; without a group it owns nothing."""
    return Reader(
        **connection_options(settings),
        client_id="gene-job-statistics",
        enable_auto_commit=False,
        auto_offset_reset="none",  # an offset out of range must never be silent
        isolation_level="read_committed",
        metadata_max_age_ms=_METADATA_AGE_MS,
        fetch_max_wait_ms=_FETCH_WAIT_MS,
        max_partition_fetch_bytes=4 * 1024 * 1024,
        fetch_max_bytes=32 * 1024 * 1024,
        check_crcs=True,
        **group,
    )


def create_consumer(settings: KafkaSettings, now_ms: Callable[[], int]) -> Reader:
    """Returns a reader in the group; the store says where it begins, and what time it is."""
    return create_reader(
        settings,
        now_ms=now_ms,
        group_id=settings.kafka_group_id,
        session_timeout_ms=10_000,  # the callbacks of a rebalance await nothing long, so heartbeats hardly pause
        heartbeat_interval_ms=1_000,
        rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
        max_poll_interval_ms=600_000,
        partition_assignment_strategy=(StickyPartitionAssignor,),
    )


async def prepare_topics(client: AIOKafkaClient, settings: KafkaSettings) -> bool:
    """Connects a client, and returns whether the topic exists; if so, makes sure that there is a dead-letter topic.

    A consumer calls it before it reads. Awaits the broker's answers. Raises KafkaError.
    """
    await client.bootstrap()
    topic = await find_topic(client, settings.kafka_topic)
    if topic is None:
        return False
    if await find_topic(client, settings.kafka_dead_letter_topic) is None:
        async with _admin(settings) as admin:
            await _create_topic(admin, settings.kafka_dead_letter_topic, topic.replicas)
    return True


async def is_compacted(settings: KafkaSettings) -> bool:
    """Returns whether the topic loses nothing but what a later record of the same key replaces. Raises KafkaError.

    False where the broker does not say.
    """
    async with _admin(settings) as admin:
        resource = ConfigResource(ConfigResourceType.TOPIC, settings.kafka_topic, {"cleanup.policy": None})
        [response] = await admin.describe_configs([resource])
    entries = [entry for described in response.resources for entry in described[4]]
    return [entry[1] for entry in entries if entry[0] == "cleanup.policy"] == ["compact"]


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
        if code and error is not TopicAlreadyExistsError:
            raise error(f"creating topic {topic}: {message}")
