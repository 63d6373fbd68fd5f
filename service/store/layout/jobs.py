"""Packs the records that events and deletions ask for, as an argument of the script. Pure; see docs/store.md."""

from collections.abc import Collection
from struct import Struct

from service.events.event import JobDeletion, JobEvent, user_number
from service.store.layout.records import DELETED_STATUS, JOB_BYTES, job_hashes, job_keys

# key 16, hash 4, then the record: sequence 4, event time 7, start 7, size 7, user key 6, status 1; little-endian.
# struct packs 8-byte words, so the numbers of 7 bytes are put together from parts of these.
_JOB = Struct("<16sIIQQQI")
PACKED_JOB_BYTES = _JOB.size
_DELETED_SEQUENCE = 0xFFFFFFFF


def pack_jobs(jobs: Collection[JobEvent | JobDeletion]) -> bytes:
    """Returns 52 bytes for each: the job's key and hash, and the record that the event or the deletion asks for.

    A deletion asks for a record that is greater than that of any event.
    """
    keys, at, packed = job_keys([each.job_id for each in jobs]), 0, []
    for hashed, each in zip(job_hashes(keys), jobs, strict=True):
        key = keys[at : at + JOB_BYTES]
        at += JOB_BYTES
        if isinstance(each, JobDeletion):
            packed.append(_JOB.pack(key, hashed, _DELETED_SEQUENCE, 0, 0, 0, DELETED_STATUS << 24))
            continue
        start, size, user = each.start_time_ms, each.input_size_bytes, user_number(each.user_id)
        packed.append(
            _JOB.pack(
                key,
                hashed,
                each.sequence,
                each.event_time_ms | (start & 0xFF) << 56,
                start >> 8 | (size & 0xFFFF) << 48,
                size >> 16 | (user & 0xFFFFFF) << 40,
                user >> 24 | each.status << 24,
            )
        )
    return b"".join(packed)
