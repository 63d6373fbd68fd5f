"""Rows of the benchmark whose processes waited for a core: measured again, then void, and no goal is judged by them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.report import goals_of, markdown, table_of
from bench.run import Row, Run, is_void
from bench.servers import Usage
from bench.waiting import Watch, until_quiet

_MOST_PERCENT = 10.0


def _rows(*waited_percent: float) -> Iterator[Row]:
    for number, percent in enumerate(waited_percent):
        yield {"measured": "a question", "p50_ms": number, "waited_percent": percent}


@pytest.fixture
def run() -> Run:
    return Run(Path(), 1.0, 1, lambda _: None)


def test_a_quiet_row_is_measured_once(run: Run) -> None:
    rows = _rows(10.0, 0.0)
    row = until_quiet(run, _MOST_PERCENT, lambda: next(rows))
    assert row["p50_ms"] == 0
    assert not is_void(row)


def test_a_row_that_waited_is_measured_again(run: Run) -> None:
    rows = _rows(50.0, 10.1, 9.0)
    row = until_quiet(run, _MOST_PERCENT, lambda: next(rows))
    assert row["p50_ms"] == run.tries - 1
    assert not is_void(row)


def test_the_quietest_of_rows_that_all_waited_is_void(run: Run) -> None:
    """A fourth try there is not."""
    rows = _rows(50.0, 11.0, 12.0, 0.0)
    row = until_quiet(run, _MOST_PERCENT, lambda: next(rows))
    assert row["p50_ms"] == 1
    assert is_void(row)


def test_a_void_row_is_shown_and_its_goals_are_not_judged(run: Run) -> None:
    [quiet, loud] = _rows(1.0, 50.0)
    void = loud | {"is_void": True}
    run.keep("quiet", 1, 2, of=[quiet])
    run.keep("quiet, missed", 3, 2, of=[quiet])
    run.reach("by both", 3, 2, of=[quiet, void])
    assert [line[-1] for line in goals_of(run.goals)[1:]] == ["yes", "no", "void"]
    assert table_of([quiet, void]) == [
        ["figure", "a question", "a question (void)"],
        ["p50_ms", "0", "1"],
        ["waited_percent", "1.0", "50.0"],
    ]


def test_what_was_waited_is_told_by_the_time_that_has_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    instants = iter([100.0, 104.0])
    monkeypatch.setattr("bench.waiting.time.perf_counter", lambda: next(instants))
    usages = iter([Usage(7.0, 1.0), Usage(9.0, 1.2)])
    assert Watch(lambda: next(usages)).percent() == 5.0


def test_a_table_is_written_as_markdown() -> None:
    assert markdown([["goal", "met"], ["rate", "yes"]]) == "| goal | met |\n|---|---:|\n| rate | yes |\n"
