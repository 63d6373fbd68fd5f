"""Offsets of stripes: what the fence expects of each stripe, and where an assignment starts."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from consumers.offsets.stripe_offsets import StripeOffsets
from service.store.layout.heads import LAYOUT_VERSION, Head, Progress
from service.store.write.writer import Step, StripeBatch


def head(*offsets: int) -> Head:
    """A stripe's head with these next offsets."""
    return Head(LAYOUT_VERSION, tuple(Progress(offset, 0) for offset in offsets))


offsets = st.integers(0, 20)
heads = st.lists(st.lists(offsets, max_size=4).map(lambda each: head(*each)), min_size=1, max_size=5)


def stored(each: Head, partition: int) -> int:
    """What a head says of a partition; 0 if it doesn't know it."""
    return each.progress[partition].next_offset if partition < len(each.progress) else 0


def test_an_assignment_starts_where_the_stripe_that_is_least_far_is() -> None:
    """Per partition the smallest offset of all stripes counts; a stripe that has never seen it says 0."""
    progress = StripeOffsets([head(5, 8, 3), head(7, 6, 9)], [2, 0])
    assert progress.positions == {0: 5, 2: 3}
    assert progress.partitions == (0, 2)
    assert list(progress.stripes) == [0, 1]
    assert StripeOffsets([head(5, 8), head()], [0, 1]).positions == {0: 0, 1: 0}


def test_a_step_expects_what_the_stripe_has() -> None:
    """Each stripe moves from its own offset; one that is further stays; partitions come in ascending order."""
    progress = StripeOffsets([head(5, 8), head(9, 8)], [1, 0])
    assert progress.steps(0, {0: 7, 1: 8}, {0: 100}) == [Step(0, 5, 7, 100), Step(1, 8, 8, 0)]
    assert progress.steps(1, {0: 7, 1: 8}, {0: 100, 1: 50}) == [Step(0, 9, 9, 100), Step(1, 8, 8, 50)]


def test_what_was_written_is_expected_next() -> None:
    """Only the stripe that took its steps is believed to be there."""
    progress = StripeOffsets([head(5), head(5)], [0])
    progress.written(StripeBatch(0, progress.steps(0, {0: 7}, {})), b"12345678")
    assert [progress.steps(stripe, {0: 9}, {}) for stripe in progress.stripes] == [
        [Step(0, 7, 9, 0)],
        [Step(0, 5, 9, 0)],
    ]
    assert [progress.stored(stripe, 0) for stripe in progress.stripes] == [7, 5]
    assert progress.moved_ids == {0: b"12345678", 1: bytes(8)}


def test_stripes_are_behind_until_they_know_of_all_records_and_the_horizon() -> None:
    """A stripe without events is told later how far the batches reach, and how far back jobs count."""
    progress = StripeOffsets([head(5), head(5)], [0])
    assert progress.behind(0) == []
    progress.positions[0] = 7
    progress.written(StripeBatch(0, progress.steps(0, {0: 7}, {})), b"12345678")
    assert progress.behind(0) == [1]
    progress.written(StripeBatch(1, progress.steps(1, {0: 7}, {}), horizon_ms=9), b"12345678")
    assert (progress.behind(0), progress.behind(9)) == ([], [0])


@given(heads, st.lists(st.dictionaries(st.integers(0, 3), offsets), max_size=6), st.data())
def test_no_stripe_moves_back_or_skips_records(
    start: list[Head], turns: list[dict[int, int]], data: st.DataObject
) -> None:
    """Whatever some stripes are told, each expects exactly what it took last, and is never moved back."""
    progress = StripeOffsets(start, range(4))
    taken = {(stripe, p): [stored(each, p)] for stripe, each in enumerate(start) for p in range(4)}
    for positions in turns:
        for stripe in data.draw(st.sets(st.sampled_from(progress.stripes))):
            steps = progress.steps(stripe, positions, {})
            assert [step.partition for step in steps] == [0, 1, 2, 3]
            for step in steps:
                assert step.expected_offset == taken[stripe, step.partition][-1]
                taken[stripe, step.partition].append(step.next_offset)
            progress.written(StripeBatch(stripe, steps), b"12345678")
    assert all(before <= after for each in taken.values() for before, after in pairwise(each))
    assert progress.positions == {p: min(stored(each, p) for each in start) for p in range(4)}
