"""A Kafka that wants TLS and a login or a certificate, and grants no right that docs/operating.md does not name."""

import uuid
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaClient
from aiokafka.errors import KafkaError

from consumers.commands.frame import COMMANDS, create_parser
from consumers.commands.terminal import Terminal
from consumers.kafka.clients import connection_options, prepare_topics
from consumers.kafka.denials import explain
from deploy.kafka.jars import KafkaProgram
from deploy.kafka.topics import create_topic
from deploy.local.waiting import eventually
from service.runtime.settings import ConsumerSettings
from tests.certificates import Authority
from tests.consumers.support import publish, running_consumer, settings_of
from tests.docs import documents, quoted, table
from tests.secured_kafka import SecuredKafka, running_secured_kafka
from tests.store.support import event

RIGHTS = [
    (quoted(row[0])[0] if quoted(row[0]) else row[0], quoted(row[1])[0], row[2])
    for row in table(documents()["docs/operating.md"], "who")
    if row[2] in {"events", "letters", "group"}
]
EVENTS = [event(job) for job in range(200)]


@pytest.fixture(scope="module")
async def secured(kafka_program: KafkaProgram, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SecuredKafka]:
    """The broker, without any grant."""
    async with running_secured_kafka(kafka_program, tmp_path_factory.mktemp("secured")) as kafka:
        yield kafka


@pytest.fixture
async def settings(secured: SecuredKafka, redis_flushed: str) -> ConsumerSettings:
    """Settings of a consumer that logs in, and whose topic is there."""
    topic = f"topic-{uuid.uuid4().hex}"
    await create_topic(secured.admin, topic, 1)
    return settings_of(secured.login, topic, redis_flushed, **secured.login_settings())


def resource_of(settings: ConsumerSettings, name: str) -> tuple[str, str]:
    """What the documented name of a resource stands for."""
    return {
        "events": ("topic", settings.kafka_topic),
        "letters": ("topic", settings.kafka_dead_letter_topic),
        "group": ("group", settings.kafka_group_id),
    }[name]


async def grant(secured: SecuredKafka, settings: ConsumerSettings, who: str) -> None:
    """Grants what the documents say that somebody needs."""
    for needs, operation, on in RIGHTS:
        if needs == who:
            await secured.grant(operation, *resource_of(settings, on))


async def run(settings: ConsumerSettings, *argv: str) -> int:
    """Runs a command in this process."""
    arguments = create_parser().parse_args(argv)
    return await COMMANDS[arguments.command].run(settings, arguments, Terminal(arguments.json))


@pytest.mark.parametrize("way", ["login", "certificate"])
async def test_documented_rights_are_enough(secured: SecuredKafka, settings: ConsumerSettings, way: str) -> None:
    """A consumer counts, and writes dead letters; the commands come to their end."""
    if way == "certificate":
        changes = secured.certificate_settings()
        settings = settings_of("", settings.kafka_topic, settings.redis_url, **changes)
    await grant(secured, settings, "consumers")
    async with running_consumer(settings) as running:
        await publish(secured.admin, settings.kafka_topic, [b"no event", *EVENTS])
        await running.wait_counted(EVENTS)
        await running.wait_not_ready([])
        assert running.count("dead_letters", reason="not_json") == 1
    await grant(secured, settings, "replay-dead-letters")
    assert await run(settings, "replay-dead-letters") == 1
    await grant(secured, settings, "rebuild")
    assert await run(settings, "rebuild") == 0


async def test_each_right_that_is_missing_is_named(
    secured: SecuredKafka, settings: ConsumerSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """One after the other; each line once. A right that is taken away is named as well, and nothing is lost."""
    topic, letters, group = settings.kafka_topic, settings.kafka_dead_letter_topic, settings.kafka_group_id
    steps = {
        f"Read on topic {topic} is not granted": ("Read", "topic", topic),
        f"Write on topic {letters} is not granted": ("Write", "topic", letters),
        f"topic {letters} does not exist, and Create on it is not granted": ("Create", "topic", letters),
        f"Read on group {group} is not granted": ("Read", "group", group),
    }
    async with running_consumer(settings) as running:
        await publish(secured.admin, topic, EVENTS)
        await running.wait_not_ready([f"kafka: {next(iter(steps))}"])
        await secured.grant("Describe", "topic", topic)  # who may see the topic may not read it yet
        for said, right in steps.items():
            await running.wait_not_ready([f"kafka: {said}"])
            await secured.grant(*right)
        await running.wait_counted(EVENTS)
        await running.wait_not_ready([])
        assert "waiting for the topic to exist" not in caplog.messages
        reasons = [vars(each)["reason"] for each in caplog.records if each.message.startswith("Kafka denies us access")]
        assert reasons == list(steps)

        await secured.withdraw("Write", "topic", letters)
        await publish(secured.admin, topic, [b"no event"])
        await running.wait_not_ready([f"writing 1 dead letters: a right on topic {letters} is not granted"])
        await secured.grant("Write", "topic", letters)
        await eventually(lambda: running.count("dead_letters", reason="not_json") == 1, "the letter is written")

        await secured.withdraw("Read", "topic", topic)
        await running.wait_not_ready([f"kafka: Read on topic {topic} is not granted"])
        await secured.grant("Read", "topic", topic)
        await publish(secured.admin, topic, [event("last")])
        await running.wait_counted([*EVENTS, event("last")])


async def test_denials_of_a_connection_are_told_apart(
    secured: SecuredKafka, settings: ConsumerSettings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each way in which the two sides do not agree says which setting may be wrong."""
    login, certificate = secured.login_settings(), secured.certificate_settings()
    other = str(Authority(tmp_path_factory.mktemp("other")).cafile)
    uncertified = {name: value for name, value in certificate.items() if "certfile" not in name and "key" not in name}
    plain = {"kafka_security_protocol": "PLAINTEXT"}
    cases: list[tuple[dict[str, str], str]] = [
        ({**login, "kafka_sasl_password": "wrong"}, "correct STATS_KAFKA_SASL_USERNAME"),
        ({**login, "kafka_sasl_mechanism": "SCRAM-SHA-512"}, "STATS_KAFKA_SASL_MECHANISM"),
        ({**login, "kafka_ssl_cafile": other}, "STATS_KAFKA_SSL_CAFILE must have its CA"),
        (
            {**login, "kafka_bootstrap_servers": secured.login.replace("localhost", "127.0.0.1")},
            "correct STATS_KAFKA_BOOTSTRAP_SERVERS",
        ),
        ({**login, "kafka_bootstrap_servers": secured.admin}, "STATS_KAFKA_SECURITY_PROTOCOL"),
        (uncertified, "STATS_KAFKA_SSL_CERTFILE"),
        ({**plain, "kafka_bootstrap_servers": secured.login}, "STATS_KAFKA_SECURITY_PROTOCOL"),
        ({**uncertified, "kafka_bootstrap_servers": secured.login}, "STATS_KAFKA_SECURITY_PROTOCOL"),
    ]
    for changes, said in cases:
        changed = settings_of("", settings.kafka_topic, settings.redis_url, **changes)
        client = AIOKafkaClient(**connection_options(changed))
        try:
            with pytest.raises(KafkaError) as raised:
                await prepare_topics(client, changed)
        finally:
            await client.close()
        assert said in (explain(raised.value) or repr(raised.value)), changes
