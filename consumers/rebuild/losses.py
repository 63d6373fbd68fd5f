"""Finds what a rebuild would lose: events that the live generation counts, but the topic no longer has. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from consumers.offsets.stripe_offsets import StripeOffsets, next_offset
from service.store.layout.gaps import Gap, GapReason
from service.store.layout.heads import Head


class JobsWouldBeLostError(Exception):
    """Says that the topic no longer reaches back far enough; `lost` has the range of offsets by partition."""

    def __init__(self, lost: Mapping[int, tuple[int, int]]) -> None:
        ranges = ", ".join(f"{first} to {end - 1} of partition {p}" for p, (first, end) in sorted(lost.items()))
        super().__init__(f"the topic no longer has offsets {ranges}, which are counted now")
        self.lost = lost


def find_losses(
    live: Sequence[Head], ledgers: Mapping[int, Sequence[Gap]], building: StripeOffsets, beginnings: Mapping[int, int]
) -> dict[int, tuple[int, int]]:
    """Returns by partition the offsets `[first, end)` that some live stripe has, and the topic no longer has.

    `beginnings` has the partitions whose beginning is after what has been read into the new generation. `ledgers` are
    the live generation's gaps by stripe: events that the live generation never had are not lost.
    """
    lost = {}
    for stripe, head in enumerate(live):
        for partition, beginning in beginnings.items():
            gaps = [gap for gap in ledgers.get(stripe, ()) if gap.partition == partition]
            missing = _uncovered(gaps, building.stored(stripe, partition), min(beginning, next_offset(head, partition)))
            if missing:
                lost[partition] = missing
    return lost


def _uncovered(gaps: Iterable[Gap], first: int, end: int) -> tuple[int, int] | None:
    """Returns the part of a range, from its first offset that no gap covers; None if gaps cover all of it."""
    for gap in sorted(gaps, key=lambda gap: gap.from_offset):
        if gap.reason is GapReason.DELETED and gap.from_offset <= first:
            first = max(first, gap.to_offset)
    return (first, end) if first < end else None
