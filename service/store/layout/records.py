"""Says where the record of a job lies. Pure; docs/store.md describes each byte."""

import re
from hashlib import blake2b
from struct import Struct

DELETED_STATUS = 7
_CANONICAL_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_HASHED = Struct(">IIII")


def job_key(job_id: str) -> bytes:
    """The 16 bytes of a job's UUID, or a 128-bit digest of an id that is not a UUID in its canonical form."""
    if _CANONICAL_UUID(job_id):
        return bytes.fromhex(job_id.replace("-", ""))
    return blake2b(job_id.encode(), digest_size=16).digest()


def job_hash(key: bytes) -> int:
    """32 bits of a job's key that say in which hash its record lies; the script computes the same.

    Folded so that UUIDs which count up, in whichever byte, spread as well as random ones.
    """
    a, b, c, d = _HASHED.unpack(key)
    x: int = a ^ b ^ c ^ d
    x ^= x >> 16
    return x ^ x >> 8
