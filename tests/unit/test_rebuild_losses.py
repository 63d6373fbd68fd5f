"""What a rebuild would lose: offsets that are counted now and that the topic no longer has."""

import pytest

from consumers.offsets.stripe_offsets import StripeOffsets
from consumers.rebuild.losses import find_losses
from service.store.layout.gaps import Gap, GapReason
from service.store.layout.heads import LAYOUT_VERSION, Head, Progress

NOTHING = Head(LAYOUT_VERSION, ())


def head(*offsets: int) -> Head:
    """A head with these next offsets."""
    return Head(LAYOUT_VERSION, tuple(Progress(offset) for offset in offsets))


def gap(first: int, end: int, reason: GapReason = GapReason.DELETED, partition: int = 1) -> Gap:
    """Offsets that were never read."""
    return Gap(partition, first, end, 0, reason)


@pytest.mark.parametrize(
    ("live", "gaps", "built", "lost"),
    [
        (head(0, 90), [], 0, (0, 50)),
        (head(0, 30), [], 0, (0, 30)),
        (head(0, 0), [], 0, None),
        (NOTHING, [], 0, None),
        (head(0, 90), [], 20, (20, 50)),
        (head(0, 90), [gap(0, 50)], 0, None),
        (head(0, 90), [gap(0, 60)], 0, None),
        (head(0, 90), [gap(0, 49)], 0, (49, 50)),
        (head(0, 90), [gap(20, 50), gap(0, 20)], 0, None),
        (head(0, 90), [gap(21, 50), gap(0, 20)], 0, (20, 50)),
        (head(0, 90), [gap(0, 50, GapReason.SEVERAL)], 0, (0, 50)),
        (head(0, 90), [gap(0, 50, partition=0)], 0, (0, 50)),
    ],
)
def test_losses(live: Head, gaps: list[Gap], built: int, lost: tuple[int, int] | None) -> None:
    """Lost is what was applied before the topic's beginning, is not built yet, and is in no gap of the live ledger."""
    building = StripeOffsets([head(0, built), head(0, built)], [0, 1])
    found = find_losses([NOTHING, live], {1: gaps}, building, {1: 50})
    assert found == ({} if lost is None else {1: lost})
