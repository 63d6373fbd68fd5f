"""The store's layout as Python sees it: keys, packed strings, and digests. docs/store.md describes each string.

The scripts in `lua/` write what this module reads; LAYOUT_VERSION is in every stripe's head and names both.
"""

import re
from binascii import crc32
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple

from service.events import user_number
from service.store.contract import LayoutError

LAYOUT_VERSION = 3
STRIPES = 64

ENTRY_BYTES = 21
# a row is narrow or wide, all rows of a node alike; by the marker that the node's string begins with
ROW_BYTES = {b"r": 19, b"R": 40}
NAMING_BYTES = 19
LEAF_JOBS = 128  # a leaf with more of them splits
LISTED_LEAF = 128
DELETED_STATUS = 7

_CANONICAL_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
NO_TOPIC = bytes(16)
_NEVER_MOVED = bytes(8)
# layout version, partitions, generation, gaps, horizon, id of the last move, id of the topic
_HEAD = Struct("<IIIIQ8s16s")
_VERSION = Struct("<I")
_PROGRESS = Struct("<QQ")
_HASHED = Struct(">IIII")
_META = Struct("<8s8s8sQII")
# watermark, bytes that follow
_CLAIM = Struct("<QH")
_SHAPE_ENTRY = Struct("<BIHB")


@lru_cache(maxsize=65_536)
def stripe_of(project_id: str) -> int:
    """The stripe that holds everything of a project."""
    return crc32(project_id.encode()) % STRIPES


def stripe_tag(stripe: int) -> str:
    """The hash tag of a stripe: all its keys begin with it, so that Redis Cluster keeps them in one slot."""
    return f"{{s{stripe:02d}}}:"


def head_key(stripe: int) -> str:
    """What is live in a stripe: see Head. Its key has no generation, as it names the one that is live."""
    return f"{stripe_tag(stripe)}head"


def stripe_prefix(stripe: int, generation: int) -> str:
    """What all keys of a stripe's generation begin with; a rebuild makes the next generation beside the live one."""
    tag = stripe_tag(stripe)
    return f"{tag[:-1]}{generation}:" if generation else tag


def building_head_key(stripe: int, generation: int) -> str:
    """The head of a generation that a rebuild makes beside the live one."""
    return f"{stripe_prefix(stripe, generation)}head"


def projects_key(stripe: int, generation: int) -> str:
    """The set of the ids of a stripe's projects."""
    return f"{stripe_prefix(stripe, generation)}projects"


def swept_key(stripe: int, generation: int) -> str:
    """The horizon (ms, as text) up to which the jobs of a stripe's generation have been taken out."""
    return f"{stripe_prefix(stripe, generation)}swept"


def retired_key(stripe: int) -> str:
    """The set of a stripe's generations that nobody reads any more, and whose keys are to be deleted."""
    return f"{stripe_tag(stripe)}retired"


def gaps_key(stripe: int, generation: int) -> str:
    """The ledger of a stripe's gaps: see service.store.gaps."""
    return f"{stripe_prefix(stripe, generation)}gaps"


def claims_key(stripe: int) -> str:
    """What consumers claim of how fresh a stripe is whose head did not move: see parse_claims."""
    return f"{stripe_tag(stripe)}fresh"


def topic_name_key() -> str:
    """The name of the topic that all stripes are of."""
    return f"{stripe_tag(0)}topic"


@lru_cache(maxsize=65_536)
def project_prefix(project_id: str, generation: int = 0) -> str:
    """What the keys of a project begin with."""
    return f"{stripe_prefix(stripe_of(project_id), generation)}{project_id}:"


@lru_cache(maxsize=65_536)
def user_key(user_id: str) -> bytes:
    """Returns the 6 bytes that stand for a user in rows and entries: its number, little-endian."""
    return user_number(user_id).to_bytes(6, "little")


def naming_digest(user_id: str, name: str) -> bytes:
    """Returns the 6 bytes that stand in `t` for a user's id and name."""
    return blake2b(user_id.encode() + b"\0" + name.encode(), digest_size=6).digest()


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


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stripe is in one partition."""

    next_offset: int = 0
    watermark_ms: int = 0


class Live(NamedTuple):
    """What of a stripe's head bears on the numbers, whatever the jobs: the live generation, and the horizon."""

    generation: int = 0
    horizon_ms: int = 0


@dataclass(frozen=True, slots=True)
class Head:
    """A stripe's head; `progress` has one item for each partition of the topic.

    `gaps` is the number of rows in the ledger of offsets that were never read. Jobs that start before the horizon
    do not count. `moved_id` is the id of the write that last moved the head, `topic_id` the 16 bytes of the id of the
    topic that the offsets are of, zeros where the broker gives topics no ids.
    """

    layout_version: int
    progress: tuple[Progress, ...]
    live: Live = field(default_factory=Live)
    gaps: int = 0
    moved_id: bytes = _NEVER_MOVED
    topic_id: bytes = NO_TOPIC

    @property
    def generation(self) -> int:
        """The generation of keys that is live."""
        return self.live.generation


class Claim(NamedTuple):
    """Every event of these partitions published before the watermark has been applied; `bits` has one a partition."""

    watermark_ms: int
    bits: bytes

    def partitions(self) -> Iterator[int]:
        """Yields the partitions that the claim is of."""
        for at, byte in enumerate(self.bits):
            yield from (8 * at + bit for bit in range(8) if byte >> bit & 1)


def pack_partitions(partitions: Iterable[int]) -> bytes:
    """One bit for each partition, the lowest first."""
    bits = sum(1 << partition for partition in set(partitions))
    return bits.to_bytes((bits.bit_length() + 7) // 8, "little")


def parse_claims(data: bytes | None) -> list[Claim]:
    """The claims of a stripe; what comes after one that is cut short is none, as without it a stripe is only older."""
    claims, at = [], 0
    while data and at + _CLAIM.size <= len(data):
        watermark_ms, length = _CLAIM.unpack_from(data, at)
        at += _CLAIM.size + length
        if at <= len(data):
            claims.append(Claim(watermark_ms, data[at - length : at]))
    return claims


@lru_cache(maxsize=1_024)
def as_of_ms(head_data: bytes | None, claims_data: bytes | None) -> int:
    """Every event published before this instant has been applied to a stripe; 0 where a partition was never read."""
    watermarks_ms = [each.watermark_ms for each in parse_head(head_data).progress]
    for claim in parse_claims(claims_data):
        for partition in claim.partitions():
            if partition < len(watermarks_ms):
                watermarks_ms[partition] = max(watermarks_ms[partition], claim.watermark_ms)
    return min(watermarks_ms, default=0)


@lru_cache(maxsize=1_024)
def parse_head(data: bytes | None) -> Head:
    """A head from its string; one that is not there yet is of this version and knows no partition."""
    if not data:
        return Head(LAYOUT_VERSION, ())
    [version] = _VERSION.unpack_from(data)
    if version != LAYOUT_VERSION:  # what follows may mean anything
        return Head(version, ())
    _, partitions, generation, gaps, horizon_ms, moved_id, topic_id = _HEAD.unpack_from(data)
    progress = tuple(Progress(*_PROGRESS.unpack_from(data, _HEAD.size + 16 * i)) for i in range(partitions))
    return Head(version, progress, Live(generation, horizon_ms), gaps, moved_id, topic_id)


def head_bytes(partitions: int) -> int:
    """The length of a head of so many partitions."""
    return _HEAD.size + _PROGRESS.size * partitions


def pack_head(head: Head) -> bytes:
    """A head as it is stored."""
    partitions, horizon_ms = len(head.progress), head.live.horizon_ms
    first = _HEAD.pack(
        head.layout_version, partitions, head.generation, head.gaps, horizon_ms, head.moved_id, head.topic_id
    )
    return first + b"".join(_PROGRESS.pack(each.next_offset, each.watermark_ms) for each in head.progress)


def check_layout(head: Head) -> Head:
    """The head, if this process may read and write what it stands for; raises LayoutError."""
    if head.layout_version != LAYOUT_VERSION:
        raise LayoutError(f"the store has layout version {head.layout_version}, this process knows {LAYOUT_VERSION}")
    return head


@dataclass(frozen=True, slots=True)
class Meta:
    """Ids of the writes that last changed a project, its shape and its names; numbers of records and hashes.

    `unfinished_hashes` is the mark of a write that ended in part: the number of hashes that it was going to have. A
    marked project has no numbers to be answered, and takes no events, until its tree is mended from the records.
    """

    write_id: bytes
    shape_id: bytes
    names_id: bytes
    records: int
    hashes: int
    unfinished_hashes: int = 0


def parse_meta(data: bytes) -> Meta:
    """A project's meta from its string."""
    return Meta(*_META.unpack(data))


def pack_meta(meta: Meta) -> bytes:
    """A meta as it is stored."""
    return _META.pack(meta.write_id, meta.shape_id, meta.names_id, meta.records, meta.hashes, meta.unfinished_hashes)


def parse_shape(data: bytes) -> list[tuple[int, int]]:
    """(level, index) of each entry of a shape; a level above LISTED_LEAF means a leaf that its parent lists."""
    return [(level, low | middle << 32 | high << 48) for level, low, middle, high in _SHAPE_ENTRY.iter_unpack(data)]


def pack_shape(entries: Iterable[tuple[int, int]]) -> bytes:
    """A shape as it is stored."""
    return b"".join(
        _SHAPE_ENTRY.pack(level, index & 0xFFFFFFFF, index >> 32 & 0xFFFF, index >> 48) for level, index in entries
    )


def parse_user(value: bytes) -> tuple[str, str]:
    """(user id, user name) from a field of a project's users."""
    return value[1 : 1 + value[0]].decode(), value[1 + value[0] :].decode()
