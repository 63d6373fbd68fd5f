"""Makes job keys, parses records, and says which record hash holds a job's. Pure; docs/store.md describes each byte."""

import re
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple

from service.events.event import MAX_MS, MAX_SIZE_BYTES, JobStatus
from service.store.layout.nodes import ENTRY_BYTES

DELETED_STATUS = 7
_CANONICAL_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_HASHED = Struct(">IIII")


def job_key(job_id: str) -> bytes:
    """Returns the 16 bytes of a job's UUID, or a 128-bit digest of an id that is no UUID in its canonical form."""
    if _CANONICAL_UUID(job_id):
        return bytes.fromhex(job_id.replace("-", ""))
    return blake2b(job_id.encode(), digest_size=16).digest()


def job_keys(job_ids: Sequence[str]) -> bytes:
    """Returns the keys of many jobs, one after the other; for UUIDs in less than a third of the time that each takes.

    They are UUIDs in their canonical form if all have 36 characters, hyphens in the four places alone, and hexadecimal
    digits that come back as they were.
    """
    text, count = "".join(job_ids), len(job_ids)
    digits = text.replace("-", "")
    hyphens = "-" * count
    if (
        len(digits) == 32 * count
        and set(map(len, job_ids)) == {36}
        and text[8::36] == text[13::36] == text[18::36] == text[23::36] == hyphens
    ):
        with suppress(ValueError):
            keys = bytes.fromhex(digits)
            if keys.hex() == digits:
                return keys
    return b"".join([job_key(job_id) for job_id in job_ids])


def job_hash(key: bytes) -> int:
    """Returns the 32-bit hash of a job's key, which says in which record hash its record lies.

    The script computes the same. The bits are folded so that UUIDs which count up in any of their bytes spread as well
    as random ones.
    """
    a, b, c, d = _HASHED.unpack(key)
    x: int = a ^ b ^ c ^ d
    x ^= x >> 16
    return x ^ x >> 8


def job_hashes(keys: bytes) -> bytes:
    """Returns the hash of each of these keys, which lie one after the other: 4 bytes each, little-endian.

    A byte of a hash is the xor of the bytes at and above its place in the four words of the key. So the bytes of all
    keys at one place are taken together, as one number.
    """
    count, folded = len(keys) // JOB_BYTES, 0
    hashes = bytearray(4 * count)
    for place in range(4):
        for word in range(0, JOB_BYTES, 4):
            folded ^= int.from_bytes(keys[word + place :: JOB_BYTES], "little")
        hashes[3 - place :: 4] = folded.to_bytes(count, "little")
    return bytes(hashes)


JOB_BYTES = 16
_RECORD = Struct("<I7s7s7s6sB")
RECORD_BYTES = _RECORD.size
_STATUSES = frozenset({*JobStatus, DELETED_STATUS})


class Record(NamedTuple):
    """A record: the version of a job's latest event, and what its entry holds. `user` is a user key."""

    sequence: int
    event_time_ms: int
    start_ms: int
    size_bytes: int
    user: bytes
    status: int

    @property
    def is_deleted(self) -> bool:
        """Tells whether the job was deleted: then it counts nowhere."""
        return self.status == DELETED_STATUS

    @property
    def version(self) -> tuple[int, ...]:
        """Returns the version, by which records of one job are ordered; the greatest is the latest."""
        user = int.from_bytes(self.user, "little")
        return self.sequence, self.event_time_ms, self.status, self.start_ms, self.size_bytes, user


def parse_record(data: bytes) -> Record | None:
    """Returns the record that is packed in these bytes, or None if no event and no deletion can have left them."""
    if len(data) != RECORD_BYTES:
        return None
    sequence, time, start, size, user, status = _RECORD.unpack(data)
    start_ms, size_bytes = int.from_bytes(start, "little"), int.from_bytes(size, "little")
    if status not in _STATUSES or start_ms > MAX_MS or size_bytes > MAX_SIZE_BYTES:
        return None
    return Record(sequence, int.from_bytes(time, "little"), start_ms, size_bytes, user, status)


def entry_of(record: bytes) -> bytes:
    """Returns the packed entry of a job from its packed record."""
    return record[-ENTRY_BYTES:]


def place_of(job: bytes, hashes: int) -> int:
    """Returns the number of the record hash, of so many, that holds the record of the job with this key."""
    hashed = job_hash(job)
    power = 1 << hashes.bit_length() - 1
    number = hashed % (2 * power)
    return number if number < hashes else hashed % power
