"""Packed items: what one side of the store packs the other takes apart, and both mean the same bytes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.events.event import MAX_MS, MAX_SEQUENCE, MAX_SIZE_BYTES, JobDeletion, JobEvent, JobStatus
from service.store.layout.jobs import PACKED_JOB_BYTES, pack_deletions, pack_jobs
from service.store.layout.nodes import (
    ENTRY_BYTES,
    ROW_BYTES,
    Row,
    pack_leaf,
    pack_rows,
    parse_entry,
    parse_rows,
    split_leaf,
)
from service.store.layout.projects import NAMING_BYTES, Naming, naming_digest, pack_namings, parse_namings, user_key
from service.store.layout.records import (
    JOB_BYTES,
    RECORD_BYTES,
    Record,
    entry_of,
    job_hash,
    job_hashes,
    job_key,
    job_keys,
    parse_record,
    place_of,
)
from service.store.layout.widths import NAMING_DIGEST
from service.store.write.batch import pack_user
from tests.store.support import event

instants = st.integers(0, MAX_MS)
sizes = st.integers(0, MAX_SIZE_BYTES)
_RECORD = slice(20, 52)  # of what is sent of a job, after its key and hash


@example(7, 1_532_605_671_002, 2**53 - 1, 1, JobStatus.FAILED)
@given(st.integers(0, 2**32 - 2), instants, instants, sizes, st.sampled_from(JobStatus))
def test_a_packed_job_is_its_key_its_hash_and_its_record(
    sequence: int, time_ms: int, start_ms: int, size_bytes: int, status: JobStatus
) -> None:
    """All numbers of an event come back from its record, those that a leaf counts also from the entry at its end."""
    sent = JobEvent(
        project_id="project",
        job_id="job",
        user_id="user",
        user_name="name",
        status=status,
        sequence=sequence,
        event_time_ms=time_ms,
        start_time_ms=start_ms,
        input_size_bytes=size_bytes,
    )
    packed = pack_jobs([sent])
    assert (len(packed), packed[:JOB_BYTES]) == (PACKED_JOB_BYTES, job_key("job"))
    record = packed[-RECORD_BYTES:]
    contribution = start_ms, size_bytes, user_key("user"), status
    parsed = parse_record(record)
    assert parsed == Record(sequence, time_ms, *contribution)
    assert not parsed.is_deleted
    assert parse_entry(entry_of(record)) == contribution


_UUID = "0b6f9a52-4a0c-4c3e-8d55-6f1f2b7f6a10"
_NEARLY = [
    _UUID,
    _UUID.upper(),
    _UUID[:-1],
    f"0{_UUID}",
    _UUID[1:],
    f"{_UUID}0",
    f"-{_UUID[:-1]}",
    f"{_UUID[:9]}-{_UUID[9:-1]}",
    _UUID.replace("-", "0"),
    f"g{_UUID[1:]}",
    "job",
]


@example([_UUID[:-1], f"0{_UUID}"])
@given(st.lists(st.sampled_from(_NEARLY) | st.uuids().map(str), max_size=5))
def test_keys_of_many_jobs_are_the_key_of_each(job_ids: list[str]) -> None:
    """Whatever is next to a UUID in its canonical form, or nearly one."""
    assert job_keys(job_ids) == b"".join(map(job_key, job_ids))


@example([])
@given(st.lists(st.binary(min_size=JOB_BYTES, max_size=JOB_BYTES), max_size=5))
def test_hashes_of_many_keys_are_the_hash_of_each(keys: list[bytes]) -> None:
    """Whatever the others are."""
    assert job_hashes(b"".join(keys)) == b"".join(job_hash(key).to_bytes(4, "little") for key in keys)


events_of_jobs = st.builds(
    event,
    st.integers(0, 9) | st.sampled_from(_NEARLY),
    user_id=st.sampled_from(["a", "b"]),
    sequence=st.integers(0, MAX_SEQUENCE),
    event_time_ms=instants,
    start_time_ms=instants,
    input_size_bytes=sizes,
    status=st.sampled_from(JobStatus),
)


@example([])
@given(st.lists(events_of_jobs, max_size=5))
def test_many_packed_jobs_are_each_packed_alone(events: list[JobEvent]) -> None:
    """The bytes of one are not mixed with those of another; the same for deletions."""
    assert pack_jobs(events) == b"".join(pack_jobs([each]) for each in events)
    deletions = [JobDeletion(each.project_id, each.job_id) for each in events]
    assert pack_deletions(deletions) == b"".join(pack_deletions([each]) for each in deletions)
    for event_, deletion in zip(events, deletions, strict=True):
        assert pack_jobs([event_])[:20] == pack_deletions([deletion])[:20]


def test_a_packed_deletion_is_a_record_that_contributes_nothing() -> None:
    """It is greater than the record of any event."""
    record = parse_record(pack_deletions([JobDeletion("project", "job")])[-RECORD_BYTES:])
    assert record is not None
    assert record.is_deleted
    assert record.sequence == 2**32 - 1
    of_event = parse_record(pack_jobs([event(1)])[_RECORD])
    assert of_event is not None
    assert record.version > of_event.version


def test_widths_are_those_of_whole_items() -> None:
    """Readers that take many items apart at once see the same items as those that take one."""
    assert NAMING_DIGEST.stop == NAMING_BYTES
    assert (ENTRY_BYTES, ROW_BYTES, NAMING_BYTES, RECORD_BYTES) == (21, {b"r": 19, b"R": 40}, 19, 32)


@pytest.mark.parametrize("status", [6, 8, 255])
def test_no_record(status: int) -> None:
    """A status that there is not, a time or size that no event has, another length."""
    packed = pack_jobs([event(1)])[_RECORD]
    assert parse_record(packed[:31] + bytes([status])) is None
    assert parse_record(packed[:17] + b"\xff" + packed[18:]) is None
    assert parse_record(packed[:24] + b"\xff" + packed[25:]) is None
    assert parse_record(packed[:31]) is None
    assert parse_record(packed + b"\0") is None


@pytest.mark.parametrize(
    ("jobs", "size_bytes", "marker"),
    [(255, 2**56 - 1, b"r"), (256, 0, b"R"), (1, 2**56, b"R"), (2**32 - 1, 2**80 - 1, b"R")],
)
def test_rows(jobs: int, size_bytes: int, marker: bytes) -> None:
    """Rows are as narrow as all of them allow, and sorted by the user's number."""
    rows = [Row(b"\1\0\0\0\0\1", (1, 2, 3, 4, 5, 6), 7), Row(b"\2\0\0\0\0\0", (0, jobs, 0, 0, 0, 0), size_bytes)]
    packed = pack_rows(rows, is_wide=False)
    assert packed[:1] == marker
    assert len(packed) == 1 + 2 * {b"r": 19, b"R": 40}[marker]
    assert list(parse_rows(packed)) == rows[::-1]
    assert list(parse_rows(packed + b"rest")) == rows[::-1]
    assert list(parse_rows(pack_rows(rows, is_wide=True))) == rows[::-1]
    assert pack_rows([], is_wide=False) == b"r"
    assert list(parse_rows(b"r")) == []


def test_leaf() -> None:
    """A leaf's entries come back in their order."""
    entries = [entry_of(pack_jobs([event(job)])[_RECORD]) for job in range(3)]
    assert split_leaf(pack_leaf(entries)) == entries
    assert split_leaf(pack_leaf([])) == []


def test_namings() -> None:
    """They are what the writer sends of a user, sorted by the user's number."""
    users = [pack_user(f"user{number}", 2**53 - number, "Name") for number in range(4)]
    namings = [
        Naming(user_key(f"user{number}"), 2**53 - number, naming_digest(f"user{number}", "Name")) for number in range(4)
    ]
    packed = pack_namings(namings)
    assert sorted(packed[at : at + 19] for at in range(0, len(packed), 19)) == sorted(user[:19] for user in users)
    assert parse_namings(packed + b"rest") == sorted(namings, key=lambda each: int.from_bytes(each.user, "little"))


def test_places_of_jobs_as_hashes_are_added() -> None:
    """With each hash that is added jobs move into that one alone."""
    jobs = [bytes([number] * 3 + [7] * 13) for number in range(256)]
    for hashes in range(1, 70):
        moved = {place_of(job, hashes + 1) for job in jobs if place_of(job, hashes + 1) != place_of(job, hashes)}
        assert moved <= {hashes}
        assert all(place_of(job, hashes) < hashes for job in jobs)
    assert place_of(jobs[1], 1 << 31) == job_hash(jobs[1]) % (1 << 31)
