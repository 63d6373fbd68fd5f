"""Records and batches that a parser does not take apart, on real brokers: nothing else stops, nothing is skipped."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from consumers.dead_letters.letter import DeadLetter
from consumers.dead_letters.queue import DeadLetterQueue, WrittenLetters, create_producer
from consumers.dead_letters.replay import StoredLetter, parse_letter, read_to_end
from consumers.kafka.aiokafka_private import HeaderName, UnreadableError, create_batch
from consumers.kafka.clients import create_reader
from consumers.kafka.record_batches import write_records
from consumers.rebuild.run import rebuild
from deploy.kafka.server import KafkaServers
from deploy.kafka.topics import create_topic
from deploy.local.waiting import eventually
from service.runtime.settings import ConsumerSettings
from service.store.write.gaps import read_gaps
from tests.commands.support import run
from tests.consumers.conftest import MakeSettings, MakeSettingsOn
from tests.consumers.support import Event, RunningConsumer, record_of, running_consumer
from tests.store.support import event

HEADERS = [("plain", b"1"), (HeaderName(b"trace\xff\xfe"), b"\x00\xff"), (HeaderName(b"\xed\xa0\x80"), None)]
BEFORE: list[Event] = [event(job, project_id="acme") for job in range(50)]
DAMAGED: list[Event] = [event(job, project_id="acme") for job in range(50, 100)]
BEHIND: list[Event] = [event(job, project_id="acme") for job in range(100, 150)]
OTHERS: list[Event] = [event(job, project_id="acme") for job in range(1_000, 1_100)]
LATE: list[Event] = [event(job, project_id="acme") for job in range(2_000, 2_010)]


async def publish_batch(
    bootstrap: str, topic: str, partition: int, events: Sequence[Event], misnamed: int | None = None
) -> None:
    """Publishes events as one batch, of which one may have misnamed headers."""
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, enable_idempotence=False, max_batch_size=1 << 20
    ) as producer:
        batch = create_batch(producer)
        for number, each in enumerate(events):
            key, value = record_of(each)
            headers = HEADERS if number == misnamed else []
            assert batch.append(timestamp=None, key=key, value=value, headers=headers) is not None
        await (await producer.send_batch(batch, topic, partition=partition))


async def read_records(settings: ConsumerSettings, topic: str) -> list[tuple[int, Any]]:
    """All records of partition 0 of a topic, each with that number."""
    reader = create_reader(settings)
    await reader.start()
    try:
        tps = [TopicPartition(topic, 0)]
        return [each async for some in read_to_end(reader, tps, 0) for each in some]
    finally:
        await reader.stop()


async def read_letters(settings: ConsumerSettings) -> list[StoredLetter]:
    """All dead letters."""
    records = await read_records(settings, settings.kafka_dead_letter_topic)
    return [letter for letter in (parse_letter(*each) for each in records) if letter]


@pytest.fixture
async def settings(kafka: KafkaServers, make_settings_on: MakeSettingsOn) -> ConsumerSettings:
    """A consumer of a topic of its own of two partitions, on Apache Kafka."""
    return await make_settings_on(kafka, partitions=2)


async def assert_becomes_a_letter(settings: ConsumerSettings) -> None:
    """Publishes a misnamed record amid others, in one batch, and between others."""
    bootstrap, topic = settings.kafka_bootstrap_servers, settings.kafka_topic
    async with running_consumer(settings) as running:
        await publish_batch(bootstrap, topic, 0, BEFORE)
        await publish_batch(bootstrap, topic, 0, DAMAGED, misnamed=7)
        await publish_batch(bootstrap, topic, 0, BEHIND)
        await running.wait_counted([*BEFORE, *DAMAGED[:7], *DAMAGED[8:], *BEHIND])
        await running.wait_not_ready([])
        assert running.count("dead_letters", reason="bad_headers") == 1
    [letter] = await read_letters(settings)
    assert (letter.key, letter.value) == record_of(DAMAGED[7])
    assert [(name.encode(), value) for name, value in letter.headers] == [
        (b"plain", b"1"),
        (b"trace\xff\xfe", b"\x00\xff"),
        (b"\xed\xa0\x80", None),
    ]
    assert letter.reason == "bad_headers"


async def test_a_misnamed_header_makes_a_dead_letter_of_its_record_alone(settings: ConsumerSettings) -> None:
    """The letter has key, value and headers as they were, names included; all other records of the batch count."""
    await assert_becomes_a_letter(settings)


async def test_a_misnamed_header_on_the_embedded_broker(redis_flushed: str, make_settings: MakeSettings) -> None:
    """The same there."""
    await assert_becomes_a_letter(make_settings(redis_flushed))


async def test_a_letter_with_a_misnamed_header_that_is_sent_back_is_the_same_letter_again(
    settings: ConsumerSettings,
) -> None:
    """Its record goes back to its topic byte by byte."""
    await assert_becomes_a_letter(settings)
    [letter] = await read_letters(settings)
    async with create_producer(settings.kafka_bootstrap_servers) as producer, running_consumer(settings) as running:
        partition, content = letter.record(2)
        assert await write_records(producer, settings.kafka_topic, {partition: [content]}) == {}
        await eventually(lambda: running.count("dead_letters", reason="bad_headers") == 1, "it is a letter again")
    _, again = await read_letters(settings)
    assert (again.key, again.value, again.headers) == (letter.key, letter.value, letter.headers)
    assert [name.encode() for name, _ in again.headers] == [name.encode() for name, _ in letter.headers]


async def assert_stays_a_letter(settings: ConsumerSettings, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is sent, whether it is asked for again or not, and the exit code says that something stays."""
    await assert_becomes_a_letter(settings)
    before = await read_letters(settings)
    for arguments in ((), ("--again", "--reason", "bad_headers")):
        result = await run(settings, capsys, "replay-dead-letters", "--json", *arguments)
        assert result.code == 1
        assert {name: result.document[name] for name in ("found", "valid_now", "sent")} == {
            "found": 1,
            "valid_now": 0,
            "sent": 0,
        }
    assert len(await read_records(settings, settings.kafka_topic)) == len([*BEFORE, *DAMAGED, *BEHIND])
    assert await read_letters(settings) == before


async def test_a_letter_with_a_misnamed_header_is_not_sent_back(
    settings: ConsumerSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its key and value are an event, and it is none, however often it is decoded."""
    await assert_stays_a_letter(settings, capsys)


async def test_a_letter_with_a_misnamed_header_is_not_sent_back_on_the_embedded_broker(
    redis_flushed: str, make_settings: MakeSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same there."""
    await assert_stays_a_letter(make_settings(redis_flushed), capsys)


async def test_letters_that_cannot_be_read_end_a_replay_that_says_where(
    kafka: KafkaServers, settings: ConsumerSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before it has sent anything: a mark may be among them."""
    topic = settings.kafka_dead_letter_topic
    await create_topic(kafka.bootstrap, topic, 1)
    async with create_producer(kafka.bootstrap) as producer:
        for offset, each in enumerate(BEFORE[:3]):
            key, value = record_of(each)
            letter = DeadLetter(settings.kafka_topic, 0, offset, 1, key, value, [], "refused", "d")
            await DeadLetterQueue(producer, topic, WrittenLetters()).send([letter])
    segment = kafka.nodes[0].segment(topic, 0)
    second = 12 + int.from_bytes(segment.read_bytes()[8:12])  # where the first batch ends
    says = f"partition 0 of {topic} cannot be read from offset 1 on"
    with wrong_byte(segment, second + 61), pytest.raises(UnreadableError, match=says):
        await run(settings, capsys, "replay-dead-letters")
    result = await run(settings, capsys, "replay-dead-letters", "--json")
    assert (result.code, result.document["sent_before"], result.document["sent"]) == (0, 0, 3)


async def test_a_misnamed_header_is_a_letter_for_a_rebuild_as_well(settings: ConsumerSettings) -> None:
    """It counts nowhere, and is not sent again."""
    await publish_batch(settings.kafka_bootstrap_servers, settings.kafka_topic, 0, DAMAGED, misnamed=7)
    rebuilt = await rebuild(settings, False, lambda _: nullcontext(lambda _: None))
    assert (rebuilt.records, rebuilt.dead_letters) == (50, {"bad_headers": 1})


@contextmanager
def wrong_byte(path: Path, at: int) -> Iterator[None]:
    """A byte of a file is another one within the block."""
    content = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(at)
        file.write(bytes([content[at] ^ 1]))
    try:
        yield
    finally:
        with path.open("r+b") as file:
            file.seek(at)
            file.write(content[at : at + 1])


@asynccontextmanager
async def damaged(kafka: KafkaServers, settings: ConsumerSettings) -> AsyncIterator[None]:
    """Both partitions have events, and within the block the second batch of partition 0 has a byte that is wrong."""
    topic = settings.kafka_topic
    for events in (BEFORE, DAMAGED, BEHIND):
        await publish_batch(kafka.bootstrap, topic, 0, events)
    await publish_batch(kafka.bootstrap, topic, 1, OTHERS)
    segment = kafka.nodes[0].segment(topic, 0)
    with wrong_byte(segment, segment.read_bytes().index(record_of(DAMAGED[5])[0])):
        yield


async def wait_stopped(running: RunningConsumer) -> None:
    """Waits until the consumer says that partition 0 waits at the damaged batch."""

    async def says_so() -> bool:
        missing = await running.consumer.not_ready()
        return len(missing) == 1 and missing[0].startswith("partition 0: unreadable from offset 50 on: Corrupt")

    await eventually(says_so, "not ready because of partition 0")

    await eventually(lambda: unreadable_offset(running) == 50, "the metric names partition and offset")


def unreadable_offset(running: RunningConsumer) -> float | None:
    """What the metric says of partition 0."""
    return running.registry.get_sample_value("stats_consumer_unreadable_offset", {"partition": "0"})


async def test_a_batch_with_a_wrong_checksum_stops_its_partition_alone_until_it_is_mended(
    kafka: KafkaServers, settings: ConsumerSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """What comes before it counts, and the other partition goes on; clients stay; then all of it counts."""
    async with running_consumer(settings) as running:
        async with damaged(kafka, settings):
            await running.wait_counted([*BEFORE, *OTHERS])
            await wait_stopped(running)
            await publish_batch(kafka.bootstrap, settings.kafka_topic, 1, LATE)
            await running.wait_counted([*BEFORE, *OTHERS, *LATE])
            assert running.consumer.pulse.is_alive()
        await running.wait_counted([*BEFORE, *DAMAGED, *BEHIND, *OTHERS, *LATE])
        await running.wait_not_ready([])
        await eventually(lambda: unreadable_offset(running) is None, "the metric is gone")
        assert running.count("stalls") == 0
    said = [record for record in caplog.records if record.levelname == "ERROR" and record.name.startswith("consumers")]
    assert [(record.partition, record.offset) for record in said] == [(0, 50)]  # type: ignore[attr-defined]


async def test_a_batch_with_a_wrong_checksum_that_is_deleted_is_a_gap(
    kafka: KafkaServers, settings: ConsumerSettings
) -> None:
    """As any other that the topic no longer has: what is behind it counts."""
    async with damaged(kafka, settings), running_consumer(settings) as running:
        await wait_stopped(running)
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        await admin.start()
        await admin.delete_records({TopicPartition(settings.kafka_topic, 0): RecordsToDelete(100)})
        await admin.close()
        await running.wait_counted([*BEFORE, *BEHIND, *OTHERS])
        await running.wait_not_ready([])
        ledgers = await read_gaps(running.redis, await running.writer.read_heads())
        assert {(gap.partition, gap.from_offset, gap.to_offset) for gaps in ledgers.values() for gap in gaps} == {
            (0, 50, 100)
        }


async def test_a_rebuild_names_partition_and_offset_and_goes_on_later(
    kafka: KafkaServers, settings: ConsumerSettings
) -> None:
    """Of a batch that cannot be read; when it can, the rebuild goes on."""
    async with damaged(kafka, settings):
        with pytest.raises(UnreadableError, match=r"partition 0 of \S+ cannot be read from offset 50 on"):
            await rebuild(settings, False, lambda _: nullcontext(lambda _: None))
    rebuilt = await rebuild(settings, False, lambda _: nullcontext(lambda _: None))
    assert rebuilt.gaps == 0
    async with running_consumer(settings) as running:
        await running.wait_counted([*BEFORE, *DAMAGED, *BEHIND, *OTHERS])
