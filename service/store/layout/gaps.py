"""Packs and parses the ledger of gaps: each stripe has one, of the ranges of offsets that it lacks.

The script that applies a batch writes a row in the call that moves the stripe past the range, and the number of rows
into the head.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct

_ROW = Struct("<IQQQB")


class GapReason(IntEnum):
    """Says why offsets were never read."""

    DELETED = 0
    """The topic no longer had them: its retention, or somebody, deleted them before they were read."""
    SEVERAL = 255
    """The ledger had no room for another row: some offsets of the range were never read, others were."""


_REASONS: dict[int, GapReason] = {int(reason): reason for reason in GapReason}


@dataclass(frozen=True, slots=True)
class Gap:
    """Offsets `[from_offset, to_offset)` of a partition that were never read, and when that was found (Unix ms)."""

    partition: int
    from_offset: int
    to_offset: int
    time_ms: int
    reason: GapReason | int = GapReason.DELETED
    """A plain number if no GapReason has that number."""

    @property
    def reason_name(self) -> str:
        """Returns the reason in words."""
        return self.reason.name.lower() if isinstance(self.reason, GapReason) else f"unknown ({self.reason})"


def pack_gaps(gaps: Iterable[Gap]) -> bytes:
    """Packs gaps as rows of 29 bytes: partition 4, from 8, to 8, time 8, reason 1."""
    return b"".join(_ROW.pack(gap.partition, gap.from_offset, gap.to_offset, gap.time_ms, gap.reason) for gap in gaps)


def parse_gaps(data: bytes) -> list[Gap]:
    """Returns the whole rows of a ledger, in the order in which they were recorded; ignores bytes after the last."""
    return [
        Gap(partition, from_offset, to_offset, time_ms, _REASONS.get(reason, reason))
        for partition, from_offset, to_offset, time_ms, reason in _ROW.iter_unpack(
            data[: len(data) // _ROW.size * _ROW.size]
        )
    ]


def find_ledger_problems(data: bytes, rows: int) -> Iterator[str]:
    """Yields what is wrong with a ledger; `rows` is the number of rows that the head says."""
    if len(data) != rows * _ROW.size:
        yield f"has {len(data)} bytes, the head says {rows} gaps of {_ROW.size}"
    for number, gap in enumerate(parse_gaps(data)):
        if not isinstance(gap.reason, GapReason):
            yield f"has an unknown reason in row {number}: {gap.reason}"
        if gap.from_offset >= gap.to_offset:
            yield f"has no range of offsets in row {number}: {gap.from_offset} to {gap.to_offset}"


def count_skipped(ledgers: Iterable[Sequence[Gap]]) -> dict[int, int]:
    """Returns for each partition how many of its offsets were never read, by the stripe that lacks the most."""
    most: dict[int, int] = {}
    for ledger in ledgers:
        skipped: dict[int, int] = {}
        for gap in ledger:
            skipped[gap.partition] = skipped.get(gap.partition, 0) + gap.to_offset - gap.from_offset
        most = {partition: max(most.get(partition, 0), skipped.get(partition, 0)) for partition in {*most, *skipped}}
    return most
