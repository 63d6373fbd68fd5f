"""Packed items: what one side of the store packs the other takes apart, and both mean the same bytes."""

from hypothesis import given
from hypothesis import strategies as st

from service.events.event import MAX_MS, MAX_SIZE_BYTES, JobDeletion, JobEvent, JobStatus
from service.store.layout.jobs import PACKED_JOB_BYTES, pack_deletion, pack_job
from service.store.layout.nodes import ENTRY_BYTES, ROW_BYTES, parse_entry
from service.store.layout.projects import NAMING_BYTES, user_key
from service.store.layout.records import JOB_BYTES, RECORD_BYTES, entry_of, job_key, parse_record
from service.store.layout.widths import ENTRY_WIDTHS, NAMING_DIGEST, ROW_WIDTHS

instants = st.integers(0, MAX_MS)
sizes = st.integers(0, MAX_SIZE_BYTES)


@given(st.integers(0, 2**32 - 2), instants, instants, sizes, st.sampled_from(JobStatus))
def test_a_packed_job_is_its_key_its_hash_and_its_record(
    sequence: int, time_ms: int, start_ms: int, size_bytes: int, status: JobStatus
) -> None:
    """All numbers of an event come back from its record, those that a leaf counts also from the entry at its end."""
    event = JobEvent(
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
    packed = pack_job(event)
    assert (len(packed), packed[:JOB_BYTES]) == (PACKED_JOB_BYTES, job_key("job"))
    record = packed[-RECORD_BYTES:]
    contribution = start_ms, size_bytes, user_key("user"), status
    assert parse_record(record) == (sequence, time_ms, *contribution)
    assert parse_entry(entry_of(record)) == contribution


def test_a_packed_deletion_is_a_record_that_contributes_nothing() -> None:
    """It is greater than the record of any event."""
    record = parse_record(pack_deletion(JobDeletion("project", "job"))[-RECORD_BYTES:])
    assert record is not None
    assert record.is_deleted
    assert record.sequence == 2**32 - 1


def test_widths_are_those_of_whole_items() -> None:
    """Readers that take many items apart at once see the same items as those that take one."""
    assert sum(ENTRY_WIDTHS) == ENTRY_BYTES
    assert {marker: sum(widths) for marker, widths in ROW_WIDTHS.items()} == ROW_BYTES
    assert NAMING_DIGEST.stop == NAMING_BYTES
