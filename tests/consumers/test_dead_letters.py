"""Dead letters on a real broker: whole, in order, acknowledged, or an error."""

import random
import uuid
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from consumers.dead_letters.letter import DeadLetter
from consumers.dead_letters.queue import DeadLetterQueue, WrittenLetters, create_producer
from deploy.local.servers import create_topics, find_broker, free_port, start_broker
from tests.conftest import MakeTopic


def letter(offset: int = 0, **changes: Any) -> DeadLetter:
    given: dict[str, Any] = {
        "topic": "gene-job-events",
        "partition": 3,
        "offset": offset,
        "timestamp_ms": 1_532_605_671_002,
        "key": b"p/j",
        "value": b"\xff not json",
        "headers": (),
        "reason": "not_utf8",
        "detail": "value: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
    }
    return DeadLetter(**{**given, **changes})


async def read_all(bootstrap: str, topic: str, count: int, partitions: int) -> list[Any]:
    """The first `count` records of a topic, by partition and offset."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, partition) for partition in range(partitions)])
        records: list[Any] = []
        while len(records) < count:
            for fetched in (await consumer.getmany(timeout_ms=1_000)).values():
                records += fetched
    finally:
        await consumer.stop()
    return sorted(records, key=lambda record: (record.partition, record.offset))


async def test_a_letter_holds_the_whole_record_and_where_it_came_from(
    producer: AIOKafkaProducer, kafka_bootstrap: str, make_topic: MakeTopic
) -> None:
    """Key, value and headers are as they were, in order, then ours follow, even if names repeat."""
    topic = await make_topic(partitions=1)
    own = [("trace", b"\x00\xff"), ("trace", b""), ("none", None), ("dead-letter-reason", b"of an earlier time")]
    await DeadLetterQueue(producer, topic, WrittenLetters()).send([letter(offset=42, headers=own)])
    [record] = await read_all(kafka_bootstrap, topic, 1, 1)
    assert (record.key, record.value) == (b"p/j", b"\xff not json")
    assert list(record.headers) == [
        *own,
        ("dead-letter-reason", b"not_utf8"),
        ("dead-letter-detail", b"value: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        ("dead-letter-topic", b"gene-job-events"),
        ("dead-letter-partition", b"3"),
        ("dead-letter-offset", b"42"),
        ("dead-letter-timestamp", b"1532605671002"),
    ]


@pytest.mark.parametrize(("key", "value"), [(None, None), (None, b"v"), (b"k", None), (b"", b"")])
async def test_null_and_empty_keys_and_values_stay_what_they_are(
    producer: AIOKafkaProducer, kafka_bootstrap: str, make_topic: MakeTopic, key: bytes | None, value: bytes | None
) -> None:
    """A null is not an empty string, and a record with neither key nor value is kept too."""
    topic = await make_topic(partitions=1)
    await DeadLetterQueue(producer, topic, WrittenLetters()).send([letter(key=key, value=value)])
    [record] = await read_all(kafka_bootstrap, topic, 1, 1)
    assert (record.key, record.value) == (key, value)


async def test_many_letters_all_arrive_in_the_order_of_their_partition(
    producer: AIOKafkaProducer, kafka_bootstrap: str, make_topic: MakeTopic
) -> None:
    """More letters than fit one batch, of several partitions, are there once each, in order; none sends none."""
    topic = await make_topic(partitions=2)
    queue = DeadLetterQueue(producer, topic, WrittenLetters())
    filler = random.Random(1).randbytes(500)
    letters = [letter(offset, partition=offset % 5, value=b"%d" % offset + filler) for offset in range(500)]
    await queue.send(letters)
    await queue.send([])
    records = await read_all(kafka_bootstrap, topic, len(letters), 2)
    found: dict[int, list[int]] = {}
    for record in records:
        headers = dict(record.headers)
        found.setdefault(int(headers["dead-letter-partition"]), []).append(int(headers["dead-letter-offset"]))
    assert found == {partition: list(range(partition, 500, 5)) for partition in range(5)}
    assert {record.partition for record in records} == {0, 1}


async def test_a_value_far_larger_than_a_request_is_kept(
    producer: AIOKafkaProducer, kafka_bootstrap: str, make_topic: MakeTopic
) -> None:
    """A record that came in thanks to compression goes out again, between others."""
    topic = await make_topic(partitions=1)
    values = [b"before", b"a" * 20_000_000, b"after"]
    await DeadLetterQueue(producer, topic, WrittenLetters()).send([letter(value=value) for value in values])
    assert [record.value for record in await read_all(kafka_bootstrap, topic, 3, 1)] == values


async def test_without_a_topic_letters_are_an_error_and_no_letters_are_none(kafka_bootstrap: str) -> None:
    """With nowhere to write to, the caller gets Kafka's error; without letters the broker isn't asked."""
    producer = create_producer(kafka_bootstrap, request_timeout_ms=500)
    await producer.start()
    try:
        queue = DeadLetterQueue(producer, f"no topic {uuid.uuid4()}", WrittenLetters())
        with pytest.raises(KafkaError):
            await queue.send([letter()])
        await queue.send([])
    finally:
        await producer.stop()


async def test_a_letter_is_written_again_where_its_topic_was_made_anew_or_when_it_is_no_longer_remembered() -> None:
    """What is remembered is bounded, and is of one topic; another record at the same offset is another letter."""
    written = WrittenLetters(most=3)
    letters = [letter(offset) for offset in range(4)]
    assert written.missing(letters[:3], "first") == letters[:3]
    written.add(letters[:3])
    assert written.missing(letters, "first") == letters[3:]
    assert written.missing([letter(1, value=b"other")], "first") != []
    written.add(letters[3:])
    assert written.missing(letters, "first") == letters[:1]
    assert written.missing(letters, "second") == letters


async def test_letters_that_the_broker_does_not_acknowledge_are_an_error(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """A broker that goes away while a started producer knows its topic leaves no letter taken for written."""
    port = free_port()
    broker = start_broker(find_broker(pytestconfig.rootpath / ".local" / "home"), port, tmp_path / "broker.log")
    try:
        await create_topics(f"127.0.0.1:{port}", {"letters": 1})
        producer = create_producer(f"127.0.0.1:{port}", request_timeout_ms=500)
        await producer.start()
        try:
            queue = DeadLetterQueue(producer, "letters", WrittenLetters())
            await queue.send([letter()])
            broker.stop()
            with pytest.raises(KafkaError):
                await queue.send([letter(offset=1)])
        finally:
            await producer.stop()
    finally:
        broker.stop()
