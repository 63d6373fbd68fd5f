"""What is packed in nodes, records and names is read back as it was, and what nobody can have written is not read."""

import pytest

from service.events.event import JobDeletion, JobStatus
from service.store.layout.jobs import pack_deletion, pack_job
from service.store.layout.nodes import Row, pack_leaf, pack_rows, parse_entry, parse_rows, split_leaf
from service.store.layout.projects import Naming, naming_digest, pack_namings, parse_namings, user_key
from service.store.layout.records import Record, entry_of, job_hash, parse_record, place_of
from service.store.write.batch import pack_user
from tests.store.support import event

_RECORD = slice(20, 52)  # of what is sent of a job, after its key and hash


def test_record_of_an_event() -> None:
    """The record that the writer packs says what the event says."""
    packed = pack_job(event(1, user_id="user", sequence=7, start_time_ms=2**53 - 1, status=JobStatus.FAILED))[_RECORD]
    sent = event(1, user_id="user", sequence=7, start_time_ms=2**53 - 1, status=JobStatus.FAILED)
    expected = Record(7, sent.event_time_ms, 2**53 - 1, sent.input_size_bytes, user_key("user"), JobStatus.FAILED)
    assert parse_record(packed) == expected
    assert not expected.is_deleted
    assert parse_entry(entry_of(packed)) == (2**53 - 1, sent.input_size_bytes, user_key("user"), JobStatus.FAILED)


def test_record_of_a_deletion() -> None:
    """It is greater than that of any event."""
    deleted, record = (
        parse_record(pack_deletion(JobDeletion("project", "job"))[_RECORD]),
        parse_record(pack_job(event(1))[_RECORD]),
    )
    assert deleted is not None
    assert record is not None
    assert deleted.is_deleted
    assert deleted.version > record.version


@pytest.mark.parametrize("status", [6, 8, 255])
def test_no_record(status: int) -> None:
    """A status that there is not, a time or size that no event has, another length."""
    packed = pack_job(event(1))[_RECORD]
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
    entries = [entry_of(pack_job(event(job))[_RECORD]) for job in range(3)]
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
