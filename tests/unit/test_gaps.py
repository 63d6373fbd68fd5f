"""Gaps: their packed rows, and how many offsets they come to."""

from hypothesis import given
from hypothesis import strategies as st

from service.store.gaps import Gap, GapReason, count_skipped, pack_gaps, parse_gaps

numbers = st.integers(0, 2**53)
gaps = st.builds(Gap, st.integers(0, 2**32 - 1), numbers, numbers, numbers, st.sampled_from(GapReason))


@given(st.lists(gaps))
def test_rows_are_read_as_they_were_packed(rows: list[Gap]) -> None:
    """Each row takes 29 bytes, and comes back whole and in order."""
    data = pack_gaps(rows)
    assert len(data) == 29 * len(rows)
    assert parse_gaps(data) == rows


def test_skipped_offsets_are_those_of_the_stripe_that_misses_most() -> None:
    """Stripes miss much the same offsets: they are not counted once a stripe."""
    ledgers = [[Gap(0, 0, 5, 1), Gap(0, 9, 10, 2), Gap(2, 1, 2, 1)], [Gap(0, 3, 5, 1), Gap(1, 0, 4, 1)], []]
    assert count_skipped(ledgers) == {0: 6, 1: 4, 2: 1}
    assert count_skipped([]) == {}
