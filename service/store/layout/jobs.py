"""Packs the record that an event or a deletion asks for, as an argument of the script. Pure; see docs/store.md."""

from struct import Struct

from service.events.event import JobDeletion, JobEvent, user_number
from service.store.layout.records import DELETED_STATUS, job_hash, job_key

# key 16, hash 4, then the record: sequence 4, event time 7, start 7, size 7, user key 6, status 1; little-endian.
# struct packs 8-byte words, so the numbers of 7 bytes are put together from parts of these.
_JOB = Struct("<16sIIQQQI")
PACKED_JOB_BYTES = _JOB.size
_DELETED_SEQUENCE = 0xFFFFFFFF


def pack_job(event: JobEvent) -> bytes:
    """Returns 52 bytes: the job's key and hash, and the record that the event asks for."""
    key = job_key(event.job_id)
    start, size, user = event.start_time_ms, event.input_size_bytes, user_number(event.user_id)
    return _JOB.pack(
        key,
        job_hash(key),
        event.sequence,
        event.event_time_ms | (start & 0xFF) << 56,
        start >> 8 | (size & 0xFFFF) << 48,
        size >> 16 | (user & 0xFFFFFF) << 40,
        user >> 24 | event.status << 24,
    )


def pack_deletion(deletion: JobDeletion) -> bytes:
    """Returns 52 bytes: the job's key and hash, and a record greater than that of any event."""
    key = job_key(deletion.job_id)
    return _JOB.pack(key, job_hash(key), _DELETED_SEQUENCE, 0, 0, 0, DELETED_STATUS << 24)
