"""Packs and parses the head of a stripe, and the claims beside it. Pure; docs/store.md describes each byte."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from service.store.errors import LayoutError

LAYOUT_VERSION = 3
NO_TOPIC = bytes(16)
_NEVER_MOVED = bytes(8)
# layout version, partitions, generation, gaps, horizon, id of the last move, id of the topic
_HEAD = Struct("<IIIIQ8s16s")
_VERSION = Struct("<I")
_PROGRESS = Struct("<QQ")
# partitions, generation, horizon, the writer's time, id of the topic, whether the head is to become one of it
_EXPECTED = Struct("<IIQQ16sB")
# watermark, bytes that follow
_CLAIM = Struct("<QH")


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


def pack_expected(
    partitions: int, live: Live, now_ms: int = 0, topic_id: bytes = NO_TOPIC, *, adopts: bool = False
) -> bytes:
    """Returns what a script compares a head with, or makes of it, before it writes anything."""
    return _EXPECTED.pack(partitions, live.generation, live.horizon_ms, now_ms, topic_id, adopts)


def check_layout(head: Head) -> Head:
    """The head, if this process may read and write what it stands for; raises LayoutError."""
    if head.layout_version != LAYOUT_VERSION:
        raise LayoutError(f"the store has layout version {head.layout_version}, this process knows {LAYOUT_VERSION}")
    return head
