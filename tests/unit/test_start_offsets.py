"""Moves: what takes each stripe to where the topic can be read, and the gaps that this leaves."""

from consumers.offsets.moves import Moves
from consumers.offsets.stripe_offsets import StripeOffsets
from service.store.layout.gaps import Gap
from service.store.layout.heads import LAYOUT_VERSION, Head, Live, Progress
from service.store.write.writer import Step, StripeBatch


def head(*offsets: int, generation: int = 0) -> Head:
    """A stripe's head with these next offsets."""
    return Head(LAYOUT_VERSION, tuple(Progress(offset, 0) for offset in offsets), Live(generation, 0))


def test_stripes_behind_the_beginning_move_forward_and_lose_what_is_between() -> None:
    """Each from where it is; one that is further stays, and has lost nothing."""
    progress = StripeOffsets([head(3), head(7), head()], [0])
    assert Moves(forward={0: 5}).batches(progress, 9) == [
        StripeBatch(0, [Step(0, 3, 5, 0)], gaps=[Gap(0, 3, 5, 9)]),
        StripeBatch(2, [Step(0, 0, 5, 0)], gaps=[Gap(0, 0, 5, 9)]),
    ]


def test_a_log_made_anew_is_read_from_its_beginning_by_all() -> None:
    """Also by a stripe that is before that; what the new log has lost already is a gap."""
    progress = StripeOffsets([head(8, 1), head(2, 1, generation=4)], [0, 1])
    assert Moves(back={0: 2}).batches(progress, 9) == [StripeBatch(0, [Step(0, 8, 2, 0)], gaps=[Gap(0, 0, 2, 9)])]
    assert Moves(back={0: 0}).batches(progress, 9) == [
        StripeBatch(0, [Step(0, 8, 0, 0)], gaps=[]),
        StripeBatch(1, [Step(0, 2, 0, 0)], generation=4, gaps=[]),
    ]


def test_without_moves_no_stripe_is_written() -> None:
    """Where store and topic agree there is nothing to do."""
    assert Moves().batches(StripeOffsets([head(3), head()], [0]), 9) == []
