"""Gaps: their packed rows, and how many offsets they come to."""

from hypothesis import given
from hypothesis import strategies as st

from service.store.layout.gaps import Gap, GapReason, count_skipped, find_ledger_problems, pack_gaps, parse_gaps

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


@given(st.binary())
def test_any_bytes_are_read(data: bytes) -> None:
    """What is behind the last whole row is no row; a reason that no number has is that number."""
    rows = parse_gaps(data)
    assert pack_gaps(rows) == data[: len(data) // 29 * 29]
    assert {row.reason_name for row in rows} <= {"deleted", "several", *(f"unknown ({n})" for n in range(1, 255))}


def test_problems_of_a_ledger() -> None:
    """Its length against the head's number of rows, reasons, and ranges."""
    good = pack_gaps([Gap(0, 3, 5, 1)])
    assert list(find_ledger_problems(good, 1)) == []
    assert list(find_ledger_problems(b"", 0)) == []
    assert list(find_ledger_problems(good + b"x", 1)) == ["has 30 bytes, the head says 1 gaps of 29"]
    assert list(find_ledger_problems(good, 0)) == ["has 29 bytes, the head says 0 gaps of 29"]
    assert list(find_ledger_problems(good[:-1] + b"\x07", 1)) == ["has an unknown reason in row 0: 7"]
    assert list(find_ledger_problems(pack_gaps([Gap(0, 5, 5, 1)]), 1)) == ["has no range of offsets in row 0: 5 to 5"]
