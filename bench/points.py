"""Series of points that are asked for, drawn at random among the start times of bench.jobs, and their recount."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from bench.jobs import SPAN_MS, Integers, Jobs
from bench.recount import WrongAnswerError
from bench.streams import DAY_MS, FIRST_MS

ZONE = "Europe/Berlin"  # its days have 23, 24 or 25 hours
QUARTER_MS = 900_000  # at multiples of which the days of every zone begin
_STATUSES = 6

PointSums = NDArray[np.int64]
"""A line for each point: the jobs in each state by its rank, then the bytes of input."""


@dataclass(frozen=True, slots=True)
class Points:
    """The borders of some points, one more than there are points: equal widths, or the calendar days of `ZONE`."""

    borders_ms: Integers
    are_days: bool = False

    def __len__(self) -> int:
        return len(self.borders_ms) - 1

    @property
    def start_ms(self) -> int:
        """The beginning of the first point."""
        return int(self.borders_ms[0])

    @property
    def end_ms(self) -> int:
        """The end of the last point."""
        return int(self.borders_ms[-1])

    @property
    def width_ms(self) -> int:
        """The width of the first point."""
        return int(self.borders_ms[1] - self.borders_ms[0])


DrawPoints = Callable[[random.Random], Points]


def _equal(span_ms: int, points: int) -> DrawPoints:
    def draw(rnd: random.Random) -> Points:
        start_ms = FIRST_MS + rnd.randrange(SPAN_MS - span_ms)
        return Points(start_ms + np.arange(points + 1) * (span_ms // points))

    return draw


def _days(days: int) -> DrawPoints:
    zone = ZoneInfo(ZONE)

    def draw(rnd: random.Random) -> Points:
        first = datetime.fromtimestamp(FIRST_MS / 1000, zone).date() - timedelta(rnd.randrange(2))
        return Points(np.array([_midnight_ms(first + timedelta(day), zone) for day in range(days + 1)]), are_days=True)

    return draw


def _midnight_ms(day: date, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, time(), zone).timestamp()) * 1000


_SPANS = {"1 day": DAY_MS, "30 days": 30 * DAY_MS, "2 years": 729 * DAY_MS}
SERIES: dict[str, DrawPoints] = {
    **{
        f"{span}, {points:,} points": _equal(span_ms, points)
        for span, span_ms in _SPANS.items()
        for points in (24, 720, 2_000)
    },
    "2 years, 730 days of the calendar": _days(730),
}


class PointRecount:
    """What the points of these jobs must be, from running sums over the jobs in the order of their start times."""

    def __init__(self, jobs: Jobs) -> None:
        self._starts_ms = jobs.starts_ms
        columns = np.zeros((_STATUSES + 1, len(jobs) + 1), np.int64)
        for status in range(_STATUSES):
            columns[status, 1:] = jobs.statuses == status
        columns[_STATUSES, 1:] = jobs.sizes_bytes
        self._running = columns.cumsum(axis=1)

    def check(self, name: str, borders_ms: Integers, sums: PointSums) -> None:
        """Raises WrongAnswerError unless these are the sums between the borders."""
        expected = np.diff(self._running[:, self._starts_ms.searchsorted(borders_ms)]).T
        if not np.array_equal(sums, expected):
            [wrong, *_] = np.flatnonzero((sums != expected).any(axis=1)) if sums.shape == expected.shape else [-1]
            raise WrongAnswerError(
                f"{name}, point {wrong} from {borders_ms[wrong]}: {sums[wrong]} instead of {expected[wrong]}"
            )


def to_sums(points: Points, at: Integers, statuses: Integers, numbers: Integers, sizes_bytes: Integers) -> PointSums:
    """Sums from the columns of groups: the number of a point, a state, the jobs in it and their bytes."""
    sums = np.zeros((len(points), _STATUSES + 1), np.int64)
    np.add.at(sums, (at, statuses), numbers)
    np.add.at(sums[:, _STATUSES], at, sizes_bytes)
    return sums


def find(points: Points, instants_ms: Integers) -> Integers:
    """The numbers of the points in which these instants lie; one before the first belongs to the first."""
    return np.maximum(points.borders_ms.searchsorted(instants_ms, "right") - 1, 0)
