"""Packs the records that events and deletions ask for, as an argument of the script. Pure; see docs/store.md."""

from collections.abc import Iterable, Sequence
from struct import pack

from service.events.event import JobDeletion, JobEvent
from service.store.layout.projects import user_key
from service.store.layout.records import DELETED_STATUS, JOB_BYTES, RECORD_BYTES, job_hashes, job_keys

# The columns of a packed job, with the bytes of a number as packed here, little-endian, and as struct packs it first:
# job key, hash, then the record: sequence, event time, start, size, user key, status.
_COLUMNS = ((JOB_BYTES, JOB_BYTES), (4, 4), (4, 4), (7, 8), (7, 8), (7, 8), (6, 6), (1, 1))
PACKED_JOB_BYTES = sum(width for width, _ in _COLUMNS)

# greater than the record of any event
_DELETED_RECORD = b"\xff" * 4 + bytes(RECORD_BYTES - 5) + bytes([DELETED_STATUS])


def pack_jobs(events: Sequence[JobEvent]) -> bytes:
    """Returns 52 bytes for each event: the key and hash of its job, and the record that it asks for."""
    keys = job_keys([each.job_id for each in events])
    words = f"<{len(events)}Q"
    return _interleaved(
        len(events),
        (
            keys,
            job_hashes(keys),
            pack(f"<{len(events)}I", *[each.sequence for each in events]),
            pack(words, *[each.event_time_ms for each in events]),
            pack(words, *[each.start_time_ms for each in events]),
            pack(words, *[each.input_size_bytes for each in events]),
            b"".join(map(user_key, [each.user_id for each in events])),
            bytes([each.status for each in events]),
        ),
    )


def _interleaved(count: int, columns: Iterable[bytes]) -> bytes:
    """Returns the numbers of all columns row by row; it moves a byte of a column for all rows at once."""
    packed, at = bytearray(count * PACKED_JOB_BYTES), 0
    for (width, packed_width), column in zip(_COLUMNS, columns, strict=True):
        for byte in range(width):
            packed[at + byte :: PACKED_JOB_BYTES] = column[byte::packed_width]
        at += width
    return bytes(packed)


def pack_deletions(deletions: Sequence[JobDeletion]) -> bytes:
    """Returns 52 bytes for each deletion: the key and hash of its job, and a record greater than that of any event."""
    keys = job_keys([each.job_id for each in deletions])
    hashes = job_hashes(keys)
    return b"".join(
        [
            keys[JOB_BYTES * at : JOB_BYTES * (at + 1)] + hashes[4 * at : 4 * (at + 1)] + _DELETED_RECORD
            for at in range(len(deletions))
        ]
    )
