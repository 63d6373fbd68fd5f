"""Producers that number their records: repeats are there once, holes are noticed, who is old is out."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import ProducerFenced
from aiokafka.protocol.transaction import (
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
)

from deploy.local.waiting import eventually
from tests.simulation.kafka.contract.broker import COMMITTED, Broker, batch_of

OK, OUT_OF_ORDER, INVALID_EPOCH, INVALID_TXN_STATE = 0, 45, 47, 48


async def new_producer(broker: Broker, transactional_id: str | None = None) -> tuple[int, int]:
    """Id and epoch that the broker gives."""
    given: list[int] = []

    async def is_given() -> bool:
        response = await broker.ask(InitProducerIdRequest(transactional_id, 60_000))
        given[:] = [response.producer_id, response.producer_epoch]
        return bool(response.error_code == OK)

    await eventually(is_given, "the broker gives an id")
    return given[0], given[1]


@pytest.fixture
async def tp(broker: Broker) -> TopicPartition:
    """A partition of its own."""
    return TopicPartition(await broker.create_topic(), 0)


async def test_ids_differ_and_begin_with_epoch_0(broker: Broker) -> None:
    """Of producers without a transactional id."""
    first, second = await new_producer(broker), await new_producer(broker)
    assert first[0] != second[0]
    assert first[1] == second[1] == 0


async def test_a_batch_that_is_repeated_is_there_once(broker: Broker, tp: TopicPartition) -> None:
    """Any of the last five: the producer is told the offset that it got."""
    producer = await new_producer(broker)
    batches = [batch_of([b"a", b"b"], (*producer, 2 * number)) for number in range(6)]
    for number, batch in enumerate(batches):
        assert (await broker.append(tp, batch))[:2] == (OK, 2 * number)
    for number in (1, 5, 3):
        assert (await broker.append(tp, batches[number]))[:2] == (OK, 2 * number)
    fetched = await broker.fetch_one(tp)
    assert (fetched.highwater, fetched.offsets) == (12, list(range(12)))


async def test_a_batch_older_than_the_last_five_is_refused(broker: Broker, tp: TopicPartition) -> None:
    """As what is known of it is not enough to say where it lies."""
    producer = await new_producer(broker)
    batches = [batch_of([b"a"], (*producer, number)) for number in range(6)]
    for batch in batches:
        assert (await broker.append(tp, batch))[0] == OK
    assert (await broker.append(tp, batches[0]))[0] == OUT_OF_ORDER


async def test_a_missing_batch_is_noticed(broker: Broker, tp: TopicPartition) -> None:
    """The next is refused until the missing one has come."""
    producer = await new_producer(broker)
    first, second, third = (batch_of([b"a"], (*producer, number)) for number in range(3))
    assert (await broker.append(tp, first))[0] == OK
    assert (await broker.append(tp, third))[0] == OUT_OF_ORDER
    assert (await broker.append(tp, second))[0] == OK
    assert (await broker.append(tp, third))[:2] == (OK, 2)


async def test_the_first_batch_of_a_producer_may_have_any_number(broker: Broker, tp: TopicPartition) -> None:
    """If the partition knows nothing of it, as after retention; in a new epoch it begins at 0."""
    producer, epoch = await new_producer(broker)
    assert (await broker.append(tp, batch_of([b"a"], (producer, epoch, 7))))[0] == OK
    assert (await broker.append(tp, batch_of([b"b"], (producer, epoch + 1, 8))))[0] == OUT_OF_ORDER
    assert (await broker.append(tp, batch_of([b"b"], (producer, epoch + 1, 0))))[0] == OK
    assert (await broker.append(tp, batch_of([b"c"], (producer, epoch, 8))))[0] == INVALID_EPOCH


async def test_a_transactional_producer_that_comes_anew_fences_the_old_one(broker: Broker, tp: TopicPartition) -> None:
    """And its open transaction is aborted."""
    name = f"id-of-{tp.topic}"
    old = broker.producer(transactional_id=name)
    await old.start()
    await old.begin_transaction()
    await old.send_and_wait(tp.topic, b"lost", partition=0)
    async with broker.producer(transactional_id=name) as new:
        with pytest.raises(ProducerFenced):
            await old.send_and_wait(tp.topic, b"late", partition=0)
        async with new.transaction():
            await new.send_and_wait(tp.topic, b"kept", partition=0)
        await eventually(lambda: has_ended(broker, tp, 4), "both transactions have ended")
        fetched = await broker.fetch_one(tp, 0, COMMITTED)
        assert [(each.offset, each.value) for each in fetched.records] == [(0, b"lost"), (2, b"kept")]
        assert [first for _, first in fetched.aborted] == [0]
    await old.stop()


async def has_ended(broker: Broker, tp: TopicPartition, offset: int) -> bool:
    """Whether all before an offset is stable."""
    return (await broker.fetch_one(tp)).stable == offset


async def test_an_epoch_grows_with_each_producer_of_a_transactional_id(broker: Broker, tp: TopicPartition) -> None:
    """The id stays; the partition refuses batches of the old epoch once it has seen the new one."""
    name = f"id-of-{tp.topic}"
    old, new = await new_producer(broker, name), await new_producer(broker, name)
    assert new == (old[0], old[1] + 1)
    response = await broker.ask(AddPartitionsToTxnRequest(name, *old, [(tp.topic, [0])]))
    [(_, [(_, code)])] = response.errors
    assert code == INVALID_EPOCH
    response = await broker.ask(EndTxnRequest(name, *old, True))
    assert response.error_code == INVALID_EPOCH


async def test_a_transactional_batch_outside_of_a_transaction_is_refused(broker: Broker, tp: TopicPartition) -> None:
    """Of a partition that the producer has not added to its transaction."""
    name = f"id-of-{tp.topic}"
    producer = await new_producer(broker, name)
    batch = batch_of([b"a"], (*producer, 0), transactional=True)
    assert (await broker.append(tp, batch, name))[0] == INVALID_TXN_STATE
    assert (await broker.fetch_one(tp)).highwater == 0


async def test_a_transaction_that_takes_too_long_is_aborted(broker: Broker, tp: TopicPartition) -> None:
    """And its producer is out."""
    name = f"id-of-{tp.topic}"
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id=name, transaction_timeout_ms=500)
    await producer.start()
    await producer.begin_transaction()
    await producer.send_and_wait(tp.topic, b"lost", partition=0)
    assert not await has_ended(broker, tp, 2)
    await eventually(lambda: has_ended(broker, tp, 2), "the broker has aborted the transaction")
    with pytest.raises(ProducerFenced):
        await producer.commit_transaction()
    async with asyncio.timeout(10):
        await producer.stop()
    assert (await broker.fetch_one(tp, 0, COMMITTED)).aborted != []
