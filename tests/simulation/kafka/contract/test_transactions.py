"""Transactions: what is stable, what was aborted, and the markers that end them, which take offsets."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from deploy.local.waiting import eventually
from tests.simulation.kafka.contract.broker import COMMITTED, LATEST, UNCOMMITTED, Broker, Fetched, batch_of


@pytest.fixture
async def tp(broker: Broker) -> TopicPartition:
    """A partition of its own."""
    return TopicPartition(await broker.create_topic(), 0)


@pytest.fixture
async def producers(broker: Broker, tp: TopicPartition) -> AsyncIterator[list[AIOKafkaProducer]]:
    """Two producers with transactions."""
    async with AsyncExitStack() as stack:
        ids = [f"{number}-of-{tp.topic}" for number in range(2)]
        made = [broker.producer(transactional_id=each) for each in ids]
        yield [await stack.enter_async_context(each) for each in made]


async def send(producer: AIOKafkaProducer, tp: TopicPartition, value: bytes) -> int:
    """The offset of one record."""
    return int((await producer.send_and_wait(tp.topic, value, partition=tp.partition)).offset)


async def wait_end(broker: Broker, tp: TopicPartition, end: int) -> None:
    """Waits for the last marker: a transaction has ended for its producer before its markers are written."""

    async def is_there() -> bool:
        return (await broker.offset(tp, LATEST))[2] == end

    await eventually(is_there, f"{tp} ends at {end}")


def ends(fetched: Fetched) -> tuple[int, int]:
    """High watermark and last stable offset."""
    return fetched.highwater, fetched.stable


async def test_an_open_transaction_is_not_stable(
    broker: Broker, tp: TopicPartition, producers: list[AIOKafkaProducer]
) -> None:
    """Nor what comes behind it, of whoever; an uncommitted read gives all of it."""
    producer, _ = producers
    await broker.append(tp, batch_of([b"before"]))
    async with producer.transaction():
        assert await send(producer, tp, b"within") == 1
        await broker.append(tp, batch_of([b"behind"]))
        all_of_it, stable = await broker.fetch_one(tp), await broker.fetch_one(tp, 0, COMMITTED)
        assert ends(all_of_it) == ends(stable) == (3, 1)
        assert (all_of_it.offsets, stable.offsets) == ([0, 1, 2], [0])
        assert (await broker.fetch_one(tp, 1, COMMITTED)).offsets == []
        assert await broker.offset(tp, LATEST) == (0, -1, 3)
        assert await broker.offset(tp, LATEST, COMMITTED) == (0, -1, 1)
    await wait_end(broker, tp, 4)
    committed = await broker.fetch_one(tp, 0, COMMITTED)
    assert (ends(committed), committed.offsets, committed.aborted) == ((4, 4), [0, 1, 2], [])
    assert await broker.offset(tp, LATEST, COMMITTED) == (0, -1, 4)


async def test_a_marker_takes_an_offset(broker: Broker, tp: TopicPartition, producers: list[AIOKafkaProducer]) -> None:
    """It is a batch of its own with one record, which says how the transaction ended."""
    producer, _ = producers
    async with producer.transaction():
        await send(producer, tp, b"kept")
    await wait_end(broker, tp, 2)
    await producer.begin_transaction()
    await send(producer, tp, b"lost")
    await producer.abort_transaction()
    await wait_end(broker, tp, 4)
    batches = (await broker.fetch_one(tp)).batches
    assert [(each.base_offset, each.is_control_batch, each.is_transactional) for each in batches] == [
        (0, False, True),
        (1, True, True),
        (2, False, True),
        (3, True, True),
    ]
    [[committed], [aborted]] = [list(each) for each in batches if each.is_control_batch]
    assert (committed.key, aborted.key) == (b"\0\0\0\1", b"\0\0\0\0")
    assert len({each.producer_id for each in batches}) == 1


async def test_aborted_transactions_are_listed(
    broker: Broker, tp: TopicPartition, producers: list[AIOKafkaProducer]
) -> None:
    """To those who read committed records: with the producer and the first offset, if they reach into what is given."""
    first, second = producers
    for producer in producers:
        await producer.begin_transaction()
    assert [await send(first, tp, b"a"), await send(second, tp, b"b"), await send(first, tp, b"c")] == [0, 1, 2]
    await first.abort_transaction()
    await wait_end(broker, tp, 4)
    open_still = await broker.fetch_one(tp, 0, COMMITTED)
    [(aborted_id, first_offset)] = open_still.aborted
    assert (ends(open_still), open_still.offsets, first_offset) == ((4, 1), [0], 0)
    await second.commit_transaction()
    await wait_end(broker, tp, 5)
    from_start = await broker.fetch_one(tp, 0, COMMITTED)
    assert (from_start.offsets, from_start.aborted) == ([0, 1, 2], [(aborted_id, 0)])
    assert (await broker.fetch_one(tp, 2, COMMITTED)).aborted == [(aborted_id, 0)]
    assert (await broker.fetch_one(tp, 4, COMMITTED)).aborted == []
    assert (await broker.fetch_one(tp, 0, UNCOMMITTED)).aborted == []
    assert {each.producer_id for each in from_start.batches if each.base_offset == 0} == {aborted_id}


async def test_a_consumer_of_committed_records_gets_no_others(
    broker: Broker, tp: TopicPartition, producers: list[AIOKafkaProducer]
) -> None:
    """Its position steps over what was aborted, and over markers."""
    producer, other = producers
    for number in range(3):
        await producer.begin_transaction()
        await send(producer, tp, b"%d" % number)
        await send(producer, tp, b"and more")
        await (producer.abort_transaction() if number == 1 else producer.commit_transaction())
        await wait_end(broker, tp, 3 * number + 3)
    await other.begin_transaction()
    await send(other, tp, b"open")
    async with AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, isolation_level="read_committed") as consumer:
        consumer.assign([tp])
        await consumer.seek_to_beginning()
        read = [await consumer.getone() for _ in range(4)]
        assert [each.offset for each in read] == [0, 1, 6, 7]
        assert await consumer.getmany(timeout_ms=300) == {}
        assert await consumer.position(tp) == 9
        assert await consumer.end_offsets([tp]) == {tp: 9}
        await other.commit_transaction()
        assert (await consumer.getone()).value == b"open"


async def test_a_transaction_over_partitions_ends_in_all_of_them(broker: Broker) -> None:
    """Each has a marker; one without a record has none."""
    topic = await broker.create_topic(partitions=3)
    tps = [TopicPartition(topic, number) for number in range(3)]
    async with broker.producer(transactional_id=f"id-of-{topic}") as producer:
        async with producer.transaction():
            for tp in tps[:2]:
                await send(producer, tp, b"a")
        for tp in tps[:2]:
            await wait_end(broker, tp, 2)
        assert (await broker.offset(tps[2], LATEST))[2] == 0
