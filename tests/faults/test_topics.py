"""The topic itself changes: partitions come, records go before they are read, it is deleted and made anew."""

import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewPartitions, RecordsToDelete

from deploy.kafka.server import KafkaServers
from deploy.kafka.topics import admin, create_topic
from tests.chaos.faults import stop_consumer
from tests.chaos.rig import Rig, lasting_publisher, running_rig
from tests.end_to_end.history import make_history, waves
from tests.end_to_end.traffic import PARTITIONS, Record


@pytest.fixture
def rnd(request: pytest.FixtureRequest) -> Random:
    """Chance, the same in every run of a test."""
    return Random(request.node.name)


@pytest.fixture
async def rig(kafka: KafkaServers, tmp_path: Path, rnd: Random) -> AsyncIterator[Rig]:
    """A running system of one consumer, over a topic that nobody else needs."""
    async with running_rig(kafka, tmp_path, rnd, consumers=1, jobs=0) as rig:
        yield rig


async def test_partitions_added_while_running(rig: Rig, rnd: Random) -> None:
    """A partition that comes later is noticed, and until then as-of is not later than it."""
    before, late, after = waves(make_history(rnd, jobs=600, bad_records=0), 3)
    late = [replace(record, partition=PARTITIONS) for record in late]
    await rig.load.publish(before)
    await rig.verify()
    async with admin(rig.kafka.bootstrap) as client:
        await client.create_partitions({rig.topic: NewPartitions(PARTITIONS + 1)})
    async with AIOKafkaProducer(bootstrap_servers=rig.kafka.bootstrap) as producer:
        for record in late:
            await producer.send(rig.topic, record.value, record.key, partition=PARTITIONS)
    acknowledged_ms = time.time_ns() // 1_000_000 + 1
    await rig.verify_records([*rig.load.records, *late], acknowledged_ms)
    await rig.load.publish(after)
    await rig.verify_records([*rig.load.records, *late], rig.load.acknowledged_ms)


async def test_records_deleted_before_they_were_read(rig: Rig, rnd: Random) -> None:
    """When retention overtakes a consumer that is stopped, all that was kept or read counts, and the gap is known."""
    before, partly_deleted, after = waves(make_history(rnd, jobs=900, bad_records=0), 3)
    await rig.load.publish(before)
    await rig.verify()
    await stop_consumer(rig.consumers[0])
    published = list(rig.load.records)
    await rig.load.publish(partly_deleted)
    cuts = {p: offset + 10 for p, offset in enumerate(counts_by_partition(published))}
    async with admin(rig.kafka.bootstrap) as client:
        records_to_delete = {TopicPartition(rig.topic, p): RecordsToDelete(offset) for p, offset in cuts.items()}
        await client.delete_records(records_to_delete)
    await rig.load.publish(after)
    rig.consumers = [await rig.system.start_consumer()]
    await rig.verify_records(kept(rig.load.records, len(published), cuts), rig.load.acknowledged_ms)
    assert rig.said("records were deleted from the topic before they were applied") == PARTITIONS
    _, headers, _ = await rig.system.get(("dense", None, None, None))
    assert int(headers["X-Statistics-Gaps"]) == PARTITIONS


@pytest.mark.parametrize("longer", [False, True], ids=["shorter", "longer"])
@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
async def test_a_topic_made_anew(rig: Rig, rnd: Random, longer: bool, running: bool) -> None:
    """A topic deleted and made anew is read from its beginning, be it longer than the old one or not."""
    history = make_history(rnd, jobs=1_200, bad_records=0)
    middle = len(history) // 4 if longer else len(history) * 3 // 4
    old, new = history[:middle], history[middle:]
    await rig.load.publish(old)
    await rig.verify()
    if not running:
        await stop_consumer(rig.consumers[0])
    async with admin(rig.kafka.bootstrap) as client:
        await client.delete_topics([rig.topic])
    await create_topic(rig.kafka.bootstrap, rig.topic, PARTITIONS)
    async with lasting_publisher(rig.kafka.bootstrap, rig.topic, rnd) as publisher:
        acknowledged_ms = await publisher.publish(new)
        if not running:
            rig.consumers = [await rig.system.start_consumer()]
        await rig.verify_records(rig.load.records + publisher.published, acknowledged_ms)


async def test_aborted_transactions_count_nothing(rig: Rig, rnd: Random) -> None:
    """Of a producer with transactions only what it committed counts, and as-of goes on beyond what it aborted."""
    *transactions, after = waves(make_history(rnd, jobs=400, bad_records=0), 9)
    committed: list[Record] = []
    async with AIOKafkaProducer(
        bootstrap_servers=rig.kafka.bootstrap, transactional_id=f"platform of {rig.topic}"
    ) as producer:
        for number, records in enumerate(transactions):
            await producer.begin_transaction()
            for record in records:
                await producer.send(rig.topic, record.value, record.key, partition=record.partition)
            if number % 2:
                await producer.abort_transaction()
            else:
                await producer.commit_transaction()
                committed += records
    await rig.load.publish(after)
    await rig.verify_records([*committed, *rig.load.records], rig.load.acknowledged_ms)


def counts_by_partition(records: Sequence[Record]) -> list[int]:
    """How many of these records each partition has."""
    return [sum(record.partition == partition for record in records) for partition in range(PARTITIONS)]


def kept(records: Sequence[Record], read: int, first_offsets: dict[int, int]) -> list[Record]:
    """Of all records of a topic those that had been read, the first so many, and those that were not deleted."""
    next_offsets: defaultdict[int, int] = defaultdict(int)
    counted = []
    for number, record in enumerate(records):
        offset = next_offsets[record.partition]
        next_offsets[record.partition] += 1
        if number < read or offset >= first_offsets[record.partition]:
            counted.append(record)
    return counted
