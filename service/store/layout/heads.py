"""Packs and parses the head and the claims of a stripe. Pure; docs/store.md describes each byte."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from service.store.errors import LayoutError

LAYOUT_VERSION = 4
"""The layout version of a new store; heads of OLDEST_LAYOUT_VERSION are known, too. TOTALS_VERSION has totals."""
OLDEST_LAYOUT_VERSION = 3
TOTALS_VERSION = 4
_LAST_VERSION = 999  # no store will ever have a greater one: what says so is no head
NO_TOPIC = bytes(16)
_NEVER_MOVED = bytes(8)
_HEADS = 128  # two of each stripe: with 512 partitions, a parsed one takes some 60 KB
# layout version, partitions, generation, gaps, horizon, id of the last move, id of the topic
_HEAD = Struct("<IIIIQ8s16s")
_VERSION = Struct("<I")
_PROGRESS = Struct("<QQ")
# partitions, generation, horizon, the writer's time, id of the topic, whether the head is to become one of that topic
_EXPECTED = Struct("<IIQQ16sB")
# watermark, number of bytes that follow
_CLAIM = Struct("<QH")


@dataclass(frozen=True, slots=True)
class Progress:
    """A stripe's next offset and watermark in one partition."""

    next_offset: int = 0
    watermark_ms: int = 0


class Live(NamedTuple):
    """The fields of a head that decide which jobs an answer counts: the live generation and the horizon."""

    generation: int = 0
    horizon_ms: int = 0


@dataclass(frozen=True, slots=True)
class Head:
    """A stripe's head; `progress` has one item for each partition of the topic.

    `gaps` is the number of rows in the ledger of gaps. `moved_id` is the id of the write that last moved the head.
    `topic_id` is the 16-byte id of the topic that the offsets are of; it is zeros where the broker gives topics no ids.
    """

    layout_version: int
    progress: tuple[Progress, ...]
    live: Live = field(default_factory=Live)
    gaps: int = 0
    moved_id: bytes = _NEVER_MOVED
    topic_id: bytes = NO_TOPIC

    @property
    def generation(self) -> int:
        """Returns the live generation."""
        return self.live.generation


class Claim(NamedTuple):
    """Says that every event of some partitions published before the watermark was applied; `bits` has one for each."""

    watermark_ms: int
    bits: bytes

    def partitions(self) -> Iterator[int]:
        """Yields the numbers of the partitions that the claim is of."""
        for at, byte in enumerate(self.bits):
            yield from (8 * at + bit for bit in range(8) if byte >> bit & 1)


def pack_partitions(partitions: Iterable[int]) -> bytes:
    """Packs a set of partitions as one bit for each partition, the lowest first."""
    bits = sum(1 << partition for partition in set(partitions))
    return bits.to_bytes((bits.bit_length() + 7) // 8, "little")


def parse_claims(data: bytes | None) -> list[Claim]:
    """Returns the claims of a stripe; ignores one that is cut short and what follows: as-of is then only older."""
    claims, at = [], 0
    while data and at + _CLAIM.size <= len(data):
        watermark_ms, length = _CLAIM.unpack_from(data, at)
        at += _CLAIM.size + length
        if at <= len(data):
            claims.append(Claim(watermark_ms, data[at - length : at]))
    return claims


@lru_cache(maxsize=_HEADS)
def as_of_ms(head_data: bytes | None, claims_data: bytes | None) -> int:
    """Returns a stripe's as-of, the least watermark of its partitions by head and claims; 0 if one was never read."""
    watermarks_ms = [each.watermark_ms for each in parse_head(head_data).progress]
    for claim in parse_claims(claims_data):
        for partition in claim.partitions():
            if partition < len(watermarks_ms):
                watermarks_ms[partition] = max(watermarks_ms[partition], claim.watermark_ms)
    return min(watermarks_ms, default=0)


@lru_cache(maxsize=_HEADS)
def parse_head(data: bytes | None) -> Head:
    """Returns the head that a string is; for no string, a head of the newest layout version without partitions.

    Of a head of a version that is not known it parses the version alone. Raises struct.error if the string is too
    short, or if its first bytes are no layout version.
    """
    if not data:
        return Head(LAYOUT_VERSION, ())
    [version] = _VERSION.unpack_from(data)
    if not 0 < version <= _LAST_VERSION:
        raise struct.error(f"{version} is no layout version")
    if not OLDEST_LAYOUT_VERSION <= version <= LAYOUT_VERSION:  # the bytes that follow may mean anything
        return Head(version, ())
    _, partitions, generation, gaps, horizon_ms, moved_id, topic_id = _HEAD.unpack_from(data)
    progress = tuple(Progress(*_PROGRESS.unpack_from(data, _HEAD.size + 16 * i)) for i in range(partitions))
    return Head(version, progress, Live(generation, horizon_ms), gaps, moved_id, topic_id)


def head_bytes(partitions: int) -> int:
    """Returns the length of the string of a head with so many partitions."""
    return _HEAD.size + _PROGRESS.size * partitions


def pack_head(head: Head) -> bytes:
    """Packs a head as it is stored."""
    partitions, horizon_ms = len(head.progress), head.live.horizon_ms
    first = _HEAD.pack(
        head.layout_version, partitions, head.generation, head.gaps, horizon_ms, head.moved_id, head.topic_id
    )
    return first + b"".join(_PROGRESS.pack(each.next_offset, each.watermark_ms) for each in head.progress)


def pack_expected(
    partitions: int, live: Live, now_ms: int = 0, topic_id: bytes = NO_TOPIC, *, adopts: bool = False
) -> bytes:
    """Packs what a script compares a head with before it writes anything, and what the head is to become."""
    return _EXPECTED.pack(partitions, live.generation, live.horizon_ms, now_ms, topic_id, adopts)


def check_layout(head: Head) -> Head:
    """Returns the head; raises LayoutError if it has a layout version that this process does not know."""
    version = head.layout_version
    if OLDEST_LAYOUT_VERSION <= version <= LAYOUT_VERSION:
        return head
    if version > LAYOUT_VERSION:
        remedy = "run the release that wrote it, or take the store back with that release's command `downgrade`"
    else:
        remedy = "run the release that wrote it, or read the topic anew into an empty Redis"
    raise LayoutError(
        f"the store has layout version {version}, this process knows {OLDEST_LAYOUT_VERSION} and {LAYOUT_VERSION}:"
        f" {remedy}"
    )
