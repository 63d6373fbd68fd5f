"""Records that are hard to take: none is dropped, none stops the others, and each counts as it must."""

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from deploy.kafka.server import KafkaServers
from deploy.kafka.topics import admin, create_topic
from deploy.local.waiting import eventually
from service.events.event import JobEvent, JobStatus
from tests.chaos.rig import LARGEST_BATCH_BYTES, LARGEST_LETTER_BYTES, Rig, running_rig
from tests.end_to_end.checks import assert_dead_letters
from tests.end_to_end.history import BREAKS
from tests.end_to_end.publisher import read_topic
from tests.end_to_end.traffic import NOON_MS, PARTITIONS, Record, life, make_fields, make_record
from tests.store.support import job_uuid

_BATCH_OVERHEAD_BYTES = 80  # of a batch with one record, beside its value
_FIRST_MANY = 2_000_000_000  # number of a job


@pytest.fixture(scope="module")
async def rig(kafka: KafkaServers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """A running system of one consumer."""
    folder: Path = tmp_path_factory.mktemp("rig")
    async with running_rig(kafka, folder, Random(1), consumers=1, jobs=0) as rig:
        yield rig


def bad_record(rnd: Random, reason: str) -> Record:
    """A record that is no event, for this reason."""
    event = next(life(rnd, -1))
    key, value = BREAKS[reason](f"{event.project_id}/{event.job_id}".encode(), make_fields(rnd, event))
    return Record(rnd.randrange(PARTITIONS), key, value, None)


async def test_bad_records_alone(rig: Rig) -> None:
    """A topic's records may all be bad: all become dead letters, and as-of goes on."""
    await rig.load.publish([bad_record(rig.rnd, reason) for reason in BREAKS] * 20)
    await rig.verify()
    await assert_dead_letters(rig.kafka.bootstrap, rig.topic, rig.load.records)


async def test_the_largest_record(rig: Rig) -> None:
    """A record as large as the broker takes is a dead letter, whole, and what comes after it counts."""
    event = next(life(rig.rnd, -1))
    record = make_record(rig.rnd, event)
    value = rig.rnd.randbytes(LARGEST_BATCH_BYTES - _BATCH_OVERHEAD_BYTES)  # which no codec makes smaller
    await rig.load.publish([Record(record.partition, None, value, None)])
    await rig.load.publish([record])
    await rig.verify()
    await assert_dead_letters(rig.kafka.bootstrap, rig.topic, rig.load.records)


async def test_ten_thousand_events_of_one_job(rig: Rig) -> None:
    """However often a job changes, in whatever order that comes, it counts once."""
    events = [
        JobEvent("dense", "one-job", f"user-{n % 7}", "n", JobStatus(n % 6), n, NOON_MS + n, n, n + 1)
        for n in range(10_000)
    ]
    rig.rnd.shuffle(events)
    await rig.load.publish([make_record(rig.rnd, event) for event in events])
    await rig.verify()


async def test_a_user_with_many_jobs(rig: Rig, pytestconfig: pytest.Config) -> None:
    """A user's jobs may be many, at many instants and at one; `--many-jobs` says how many."""
    count = pytestconfig.getoption("--many-jobs")
    for first in range(0, count, 10_000):
        events = [
            JobEvent("dense", job_uuid(_FIRST_MANY + n), "user", "n", JobStatus(n % 6), n, NOON_MS + n // 2 * 977, n)
            for n in range(first, min(count, first + 10_000))
        ]
        await rig.load.publish([make_record(rig.rnd, event) for event in events])
    await rig.verify()


async def test_letters_too_large_for_their_topic_wait(rig: Rig) -> None:
    """While the dead-letter topic refuses a letter its partition waits; once it is let in everything goes on."""
    await set_letter_bytes(rig, 1_000)
    failed = rig.said("DeadLettersUnavailableError")
    await rig.load.publish([Record(0, None, rig.rnd.randbytes(10_000), None), *good_records(rig)])
    await eventually(lambda: rig.said("DeadLettersUnavailableError") > failed, "the consumer says what waits")
    await set_letter_bytes(rig, LARGEST_LETTER_BYTES)
    await rig.verify()
    await assert_dead_letters(rig.kafka.bootstrap, rig.topic, rig.load.records)


async def test_letters_without_their_topic_wait(rig: Rig) -> None:
    """A dead-letter topic that was deleted, and that nobody may make by writing to it, is waited for."""
    name = f"{rig.topic}.dead-letters"
    async with admin(rig.kafka.bootstrap) as client:
        await client.delete_topics([name])
    failed = rig.said("DeadLettersUnavailableError")
    bad = bad_record(rig.rnd, "key_mismatch")
    await rig.load.publish([bad, *good_records(rig)])
    await eventually(lambda: rig.said("DeadLettersUnavailableError") > failed, "the consumer says what waits")
    await create_topic(rig.kafka.bootstrap, name, 2)
    await rig.verify()
    [letter] = await read_topic(rig.kafka.bootstrap, name, 2, 1)
    assert (letter.key, letter.value) == (bad.key, bad.value)


def good_records(rig: Rig) -> list[Record]:
    """Records of some events."""
    return [make_record(rig.rnd, event) for _ in range(50) for event in life(rig.rnd, -1)]


async def set_letter_bytes(rig: Rig, max_bytes: int) -> None:
    """Limits what the dead-letter topic takes."""
    configs = {"max.message.bytes": str(max_bytes)}
    async with admin(rig.kafka.bootstrap) as client:
        resource = ConfigResource(ConfigResourceType.TOPIC, f"{rig.topic}.dead-letters", configs)
        await client.alter_configs([resource])
