"""Seeded random traffic: the events of jobs, and the many ways to write them into a record."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from uuid import UUID
from zlib import crc32

from service.events.event import MAX_MS, MAX_SEQUENCE, MAX_SIZE_BYTES, JobDeletion, JobEvent, JobStatus
from tests.wire import required_fields

Event = JobEvent | JobDeletion
Header = tuple[str, bytes | None]

PARTITIONS = 4
PROJECTS = ("e9993fc787d94b6c886cbaa340f9c0f4", "dense", "P_-" * 21)
USERS = ("0b1c2d3e4f5a4b6c8d7e9f0a1b2c3d4e", "z" * 64, *(f"user-{number}" for number in range(10)))
NAMES = ("ann", "Ann", "böb", "zoë", "测试", "\uffee", "\U0001f9ec" * 128, "n")
NOON_MS = 1_532_605_670_471
TWO_YEARS_MS = 2 * 365 * 86_400_000
BACKDATED_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record to publish, and the event in it; None if it is none."""

    partition: int
    key: bytes | None
    value: bytes | None
    event: Event | None
    headers: tuple[Header, ...] = ()
    timestamp_ms: int | None = None  # None: when it is published


def life(rnd: Random, number: int) -> Iterator[JobEvent]:
    """The events of one job; some are rivals of one version, of which the greater in the rest counts."""
    project = rnd.choice(PROJECTS)
    job = str(UUID(int=rnd.getrandbits(128))) if rnd.random() < 0.8 else f"job_{number}"
    user, start, size = rnd.choice(USERS), _start(rnd, project), _size(rnd)
    time, numbered = rnd.choice((0, NOON_MS, NOON_MS + rnd.randrange(1_000), MAX_MS - 10)), rnd.random() < 0.7
    for sequence in range(1, rnd.choice((1, 3, 3, 5)) + 1):
        if rnd.random() < 0.1:  # corrections
            user, start, size = rnd.choice(USERS), _start(rnd, project), _size(rnd)
        time += rnd.choice((0, 0, 1))
        yield JobEvent(
            project,
            job,
            user,
            rnd.choice(NAMES),
            JobStatus(rnd.randrange(6)),
            time,
            start,
            size,
            rnd.choice((sequence, sequence, MAX_SEQUENCE)) if numbered else 0,
        )


def _start(rnd: Random, project: str) -> int:
    if project == "dense":
        return NOON_MS + rnd.randrange(60_000)
    if rnd.random() < 0.9:
        return NOON_MS + rnd.randrange(TWO_YEARS_MS)
    return rnd.choice((0, 1, MAX_MS - 1, MAX_MS, NOON_MS, rnd.randrange(MAX_MS + 1)))


def _size(rnd: Random) -> int:
    return rnd.choice((0, 2**32 - 1, 2**32, MAX_SIZE_BYTES, rnd.randrange(10**12)))


def choose_partition(rnd: Random, event: Event) -> int:
    """The partition of the job's key, and sometimes another."""
    usual = crc32(f"{event.project_id}/{event.job_id}".encode()) % PARTITIONS
    return rnd.randrange(PARTITIONS) if rnd.random() < 0.15 else usual


def make_record(rnd: Random, event: Event) -> Record:
    """A valid record of an event, with its key or without."""
    key: bytes | None = f"{event.project_id}/{event.job_id}".encode()
    value = None
    if isinstance(event, JobEvent):
        value = json.dumps(make_fields(rnd, event), ensure_ascii=rnd.random() < 0.5).encode()
        key = None if rnd.random() < 0.1 else key
    backdated = rnd.random() < 0.02
    return Record(choose_partition(rnd, event), key, value, event, timestamp_ms=BACKDATED_MS if backdated else None)


def make_fields(rnd: Random, event: JobEvent) -> dict[str, object]:
    """The fields of an event's JSON; what is optional is there, null or absent."""
    fields = required_fields(event, f"{rnd.getrandbits(128):032x}")
    if event.sequence or rnd.random() < 0.5:
        fields["sequence"] = event.sequence or None
    if rnd.random() < 0.5:
        fields["job_type"] = rnd.choice(("CNVKIT", None))
    if rnd.random() < 0.1:
        fields["unknown"] = {"of": ["a", "later", "version"]}
    return fields
