"""Records go in and come out as they are, whatever the codec; what is not in order is refused with the same code."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.simulation.kafka.contract.broker import NOW_MS, Broker, batch_of

OK, CORRUPT, UNKNOWN_TOPIC, TOO_LARGE, INVALID_TIMESTAMP, INVALID_RECORD = 0, 2, 3, 10, 32, 87
HEADERS = [("plain", b"1"), ("none", None), ("ümlaut", b"\xff\x00")]


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
async def test_records_come_as_they_went(broker: Broker, codec: str | None) -> None:
    """Keys, values, headers, timestamps, and offsets without a hole."""
    topic = await broker.create_topic()
    sent = [(b"key", b"value", NOW_MS), (None, b"v" * 500, NOW_MS - 7), (b"k", None, NOW_MS), (b"", b"", NOW_MS + 1)]
    async with broker.producer(compression_type=codec, enable_idempotence=True) as producer:
        for key, value, timestamp in sent:
            await producer.send(topic, value, key, partition=0, timestamp_ms=timestamp, headers=HEADERS)
        last = await producer.send_and_wait(topic, b"last", partition=0, timestamp_ms=NOW_MS)
    assert last.offset == 4
    async with AIOKafkaConsumer(topic, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest") as consumer:
        read = [await consumer.getone() for _ in range(5)]
    assert [(each.key, each.value, each.timestamp) for each in read] == [*sent, (None, b"last", NOW_MS)]
    assert [each.offset for each in read] == [0, 1, 2, 3, 4]
    assert [list(each.headers) for each in read] == [*[HEADERS] * 4, []]


async def test_the_broker_gives_records_its_time_where_the_topic_says_so(broker: Broker) -> None:
    """Of a whole batch; the producer is told."""
    topic = await broker.create_topic(message_timestamp_type="LogAppendTime")
    code, offset, told, start = await broker.append(TopicPartition(topic, 0), batch_of([b"a", b"b"], timestamp=7))
    assert (code, offset, start) == (OK, 0, 0)
    assert told >= NOW_MS
    records = (await broker.fetch_one(TopicPartition(topic, 0))).records
    assert [(each.timestamp, each.timestamp_type) for each in records] == [(told, 1), (told, 1)]


async def test_the_producer_is_told_no_time_where_records_have_their_own(broker: Broker) -> None:
    """But where the batch lies."""
    tp = TopicPartition(await broker.create_topic(), 0)
    assert await broker.append(tp, batch_of([b"a", b"b"])) == (OK, 0, -1, 0)
    assert await broker.append(tp, batch_of([b"c"])) == (OK, 2, -1, 0)
    assert [each.timestamp_type for each in (await broker.fetch_one(tp)).records] == [0, 0, 0]


async def test_a_batch_with_a_wrong_checksum_is_refused(broker: Broker) -> None:
    """And nothing is in the log."""
    tp = TopicPartition(await broker.create_topic(), 0)
    batch = bytearray(batch_of([b"a", b"b"]))
    batch[-1] ^= 1
    assert await broker.append(tp, bytes(batch)) == (CORRUPT, -1, -1, -1)
    assert (await broker.fetch_one(tp)).highwater == 0


async def test_two_batches_at_once_are_refused(broker: Broker) -> None:
    """Of one partition; a producer sends one."""
    tp = TopicPartition(await broker.create_topic(), 0)
    assert (await broker.append(tp, batch_of([b"a"]) + batch_of([b"b"])))[0] == INVALID_RECORD


async def test_a_batch_that_is_too_large_is_refused(broker: Broker) -> None:
    """By the topic's bound."""
    tp = TopicPartition(await broker.create_topic(max_message_bytes="1000"), 0)
    small, large = batch_of([b"x" * 800]), batch_of([b"x" * 1_000])
    assert (await broker.append(tp, large))[0] == TOO_LARGE
    assert (await broker.append(tp, small))[:2] == (OK, 0)


async def test_a_record_from_the_future_is_refused(broker: Broker) -> None:
    """More than an hour from now."""
    tp = TopicPartition(await broker.create_topic(), 0)
    assert (await broker.append(tp, batch_of([b"a"], timestamp=NOW_MS + 7_200_000)))[0] == INVALID_TIMESTAMP


async def test_a_topic_or_a_partition_that_is_not_there(broker: Broker) -> None:
    """Is not made by asking for it."""
    topic = await broker.create_topic()
    for tp in (TopicPartition("nowhere", 0), TopicPartition(topic, 1)):
        assert (await broker.append(tp, batch_of([b"a"])))[0] == UNKNOWN_TOPIC
        fetched = await broker.fetch_one(tp)
        assert (fetched.code, fetched.highwater, fetched.stable, fetched.data) == (UNKNOWN_TOPIC, -1, -1, b"")
        assert (await broker.offset(tp, -1))[0] == UNKNOWN_TOPIC


async def test_a_compacted_topic_refuses_records_without_a_key(broker: Broker) -> None:
    """As it would not know what replaces them."""
    tp = TopicPartition(await broker.create_topic(cleanup_policy="compact"), 0)
    assert (await broker.append(tp, batch_of([b"a"])))[0] == INVALID_RECORD
    assert (await broker.append(tp, batch_of([b"a"], keys=[b"k"])))[0] == OK


async def test_a_producer_that_wants_no_answer(broker: Broker) -> None:
    """Its record is there all the same."""
    tp = TopicPartition(await broker.create_topic(), 0)
    async with broker.producer(acks=0, enable_idempotence=False) as producer:
        await producer.send_and_wait(tp.topic, b"a", partition=0)
    async with asyncio.timeout(10):
        while not (await broker.fetch({tp: 0}, wait_ms=500))[0].data:
            pass
    assert (await broker.fetch_one(tp)).offsets == [0]
