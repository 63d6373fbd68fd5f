"""What a fetch gives of each partition: budgets of bytes, order, waiting, offsets within and beyond the log."""

import asyncio

from aiokafka import TopicPartition

from tests.simulation.kafka.contract.broker import Broker, Fetched, batch_of

OK, OUT_OF_RANGE, UNKNOWN_TOPIC = 0, 1, 3
BATCH = batch_of([b"x" * 200])
SIZE = len(BATCH)


async def filled(broker: Broker, partitions: int = 3, batches: int = 3) -> list[TopicPartition]:
    """Partitions of a topic, each with some batches of one record."""
    topic = await broker.create_topic(partitions)
    tps = [TopicPartition(topic, number) for number in range(partitions)]
    for tp in tps:
        for _ in range(batches):
            assert (await broker.append(tp, BATCH))[0] == OK
    return tps


def shape(fetched: list[Fetched]) -> list[tuple[int, list[int], int]]:
    """Partitions in order, each with the offsets of its whole batches and the number of its bytes."""
    return [(each.tp.partition, each.offsets, len(each.data)) for each in fetched]


async def test_partitions_come_in_the_order_of_the_request(broker: Broker) -> None:
    """All of them, with what is known of each."""
    zero, one, two = await filled(broker)
    fetched = await broker.fetch({two: 0, zero: 3, one: 1})
    assert shape(fetched) == [(2, [0, 1, 2], 3 * SIZE), (0, [], 0), (1, [1, 2], 2 * SIZE)]
    assert {(each.code, each.highwater, each.stable, each.start) for each in fetched} == {(OK, 3, 3, 0)}
    assert [each.aborted for each in fetched] == [[], [], []]


async def test_a_budget_leaves_out_the_partitions_at_the_end(broker: Broker) -> None:
    """They are in the response, and empty."""
    zero, one, two = await filled(broker)
    fetched = await broker.fetch({two: 0, zero: 0, one: 0}, max_bytes=3 * SIZE)
    assert shape(fetched) == [(2, [0, 1, 2], 3 * SIZE), (0, [], 0), (1, [], 0)]
    assert {each.highwater for each in fetched} == {3}


async def test_a_budget_of_each_partition(broker: Broker) -> None:
    """Bytes are cut off where the budget ends, also within a batch."""
    zero, one, two = await filled(broker)
    fetched = await broker.fetch({zero: 0, one: 0, two: 0}, partition_bytes=2 * SIZE)
    assert shape(fetched) == [(0, [0, 1], 2 * SIZE), (1, [0, 1], 2 * SIZE), (2, [0, 1], 2 * SIZE)]
    fetched = await broker.fetch({zero: 0, one: 0}, partition_bytes=2 * SIZE + 10)
    assert shape(fetched) == [(0, [0, 1], 2 * SIZE + 10), (1, [0, 1], 2 * SIZE + 10)]


async def test_what_is_left_of_the_budget_is_given_to_the_next(broker: Broker) -> None:
    """If a whole batch is in it."""
    zero, one, two = await filled(broker)
    fetched = await broker.fetch({zero: 0, one: 0, two: 0}, max_bytes=4 * SIZE + 10)
    assert shape(fetched) == [(0, [0, 1, 2], 3 * SIZE), (1, [0], SIZE + 10), (2, [], 0)]
    fetched = await broker.fetch({zero: 0, one: 0, two: 2}, max_bytes=4 * SIZE - 1, partition_bytes=3 * SIZE)
    assert shape(fetched) == [(0, [0, 1, 2], 3 * SIZE), (1, [], 0), (2, [], 0)]


async def test_the_first_batch_comes_whole_however_large(broker: Broker) -> None:
    """Of the first partition that has one: each fetch goes on. No other batch comes beside it."""
    zero, one, two = await filled(broker)
    fetched = await broker.fetch({zero: 3, one: 1, two: 0}, max_bytes=1)
    assert shape(fetched) == [(0, [], 0), (1, [1], SIZE), (2, [], 0)]
    fetched = await broker.fetch({zero: 0, one: 0, two: 0}, partition_bytes=1)
    assert shape(fetched) == [(0, [0], SIZE), (1, [], 0), (2, [], 0)]


async def test_a_batch_comes_whole_from_within(broker: Broker) -> None:
    """The reader steps over the records before the offset that it asked for."""
    tp = TopicPartition(await broker.create_topic(), 0)
    await broker.append(tp, batch_of([b"a", b"b", b"c"]))
    await broker.append(tp, batch_of([b"d"]))
    assert (await broker.fetch_one(tp, 2)).offsets == [0, 1, 2, 3]
    assert (await broker.fetch_one(tp, 3)).offsets == [3]


async def test_an_offset_beyond_the_end_is_out_of_range(broker: Broker) -> None:
    """That of the next record is not."""
    [tp] = await filled(broker, partitions=1)
    at_end, beyond = await broker.fetch_one(tp, 3), await broker.fetch_one(tp, 4)
    assert (at_end.code, at_end.highwater, at_end.data) == (OK, 3, b"")
    assert (beyond.code, beyond.highwater, beyond.stable, beyond.start, beyond.data) == (OUT_OF_RANGE, -1, -1, -1, b"")


async def test_a_fetch_waits_for_the_first_record(broker: Broker) -> None:
    """Of any of its partitions."""
    zero, one, _ = await filled(broker)
    async with asyncio.timeout(20):
        waiting = asyncio.create_task(broker.fetch({zero: 3, one: 3}, wait_ms=60_000))
        async with broker.producer() as producer:
            await producer.send_and_wait(one.topic, b"news", partition=one.partition)
        fetched = await waiting
    assert [(each.tp, each.offsets, each.highwater) for each in fetched] == [(zero, [], 3), (one, [3], 4)]


async def test_a_fetch_ends_when_its_time_is_over(broker: Broker) -> None:
    """With nothing."""
    [tp] = await filled(broker, partitions=1)
    async with asyncio.timeout(20):
        [fetched] = await broker.fetch({tp: 3}, wait_ms=50)
    assert (fetched.code, fetched.highwater, fetched.data) == (OK, 3, b"")


async def test_a_fetch_with_an_offset_out_of_range_does_not_wait(broker: Broker) -> None:
    """For the other partitions either."""
    zero, one, _ = await filled(broker)
    async with asyncio.timeout(20):
        fetched = await broker.fetch({zero: 3, one: 7}, wait_ms=60_000)
    assert [each.code for each in fetched] == [OK, OUT_OF_RANGE]


async def test_a_fetch_waits_beside_a_topic_that_is_not_there(broker: Broker) -> None:
    """That topic alone is nothing to wait for."""
    [tp] = await filled(broker, partitions=1)
    nowhere = TopicPartition("nowhere", 0)
    async with asyncio.timeout(20):
        assert [each.code for each in await broker.fetch({nowhere: 0}, wait_ms=60_000)] == [UNKNOWN_TOPIC]
        waiting = asyncio.create_task(broker.fetch({tp: 3, nowhere: 0}, wait_ms=60_000))
        async with broker.producer() as producer:
            await producer.send_and_wait(tp.topic, b"news", partition=tp.partition)
        fetched = {each.tp: each for each in await waiting}
    assert (fetched[tp].offsets, fetched[nowhere].code) == ([3], UNKNOWN_TOPIC)
