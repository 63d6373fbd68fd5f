"""What every database is filled from and asked through."""

import csv
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

from bench.jobs import PROJECT, Counts, Jobs
from bench.points import Points, PointSums
from bench.recount import Bounds
from service.events.event import MAX_MS

Ask = Callable[[Bounds], Callable[[], Counts]]
"""Asks one question and has the whole answer when it returns; what that returns makes counts of it, off the clock."""

AskSeries = Callable[[Points], Callable[[], PointSums]]
"""Asks for a series in the same way."""


@dataclass(frozen=True, slots=True)
class Database:
    """A database that holds the jobs: how it is asked, and the CPU time so far of processes beside this one."""

    ask: Ask
    ask_series: AskSeries
    cpu_seconds: Callable[[], float] = float


def limits(bounds: Bounds) -> tuple[int, int]:
    """Both bounds as instants."""
    start_ms, end_ms = bounds
    return start_ms or 0, MAX_MS + 1 if end_ms is None else end_ms


def to_counts(rows: Iterable[tuple[int, int, int, int]]) -> Counts:
    """Counts from rows of user, state, number of jobs and bytes."""
    counts: Counts = {}
    for user, status, number, size_bytes in rows:
        row = counts.setdefault(user, [0] * 7)
        row[status] += number
        row[6] += size_bytes
    return counts


@contextmanager
def writing_csv(folder: Path, jobs: Jobs) -> Iterator[Path]:
    """A file of project, start time, user, state and bytes of each job; it is gone after the block."""
    path = folder / "jobs.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(zip(repeat(PROJECT, len(jobs)), *jobs.columns(), strict=True))
    try:
        yield path
    finally:
        path.unlink()
