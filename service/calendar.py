"""Cuts a range of time into intervals of a time zone's clock and calendar. Pure, no I/O.

Intervals of up to an hour lie on the grid of the wall clock: a change of the zone's offset that is no multiple of the
interval begins a new one. Longer intervals begin at the instant when the clock first reads the border, or at the jump
over it. So a day has 23 or 25 hours where the clock is put forward or back, and a day that the zone skipped is none.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Literal, get_args

from service.zone_clock import DAY_SECONDS, Clock, months

Interval = Literal["1m", "5m", "15m", "1h", "6h", "1d", "1w", "1M"]
INTERVALS: tuple[Interval, ...] = get_args(Interval)
"""The intervals, finest first."""

_HOUR_SECONDS = 3_600
_STEP_SECONDS: dict[Interval, int] = {
    "1m": 60,
    "5m": 300,
    "15m": 900,
    "1h": _HOUR_SECONDS,
    "6h": 6 * _HOUR_SECONDS,
    "1d": DAY_SECONDS,
    "1w": 7 * DAY_SECONDS,
    "1M": 31 * DAY_SECONDS,  # the longest
}
_MONDAY_SECONDS = 4 * DAY_SECONDS  # 1970-01-05


@dataclass(frozen=True, slots=True)
class Timeline:
    """A range `[start_ms, end_ms)` in Unix ms, cut into intervals.

    `whole_ms` has the borders of the intervals as they are in the calendar, n + 1 for n intervals, ascending: the first
    is not after `start_ms`, the second is; the last is not before `end_ms`, the one before it is.
    """

    interval: Interval
    start_ms: int
    end_ms: int
    whole_ms: Sequence[int]

    @property
    def borders_ms(self) -> list[int]:
        """Returns the borders with the outer ones moved to the range's: n + 1 for n intervals, ascending."""
        return [self.start_ms, *self.whole_ms[1:-1], self.end_ms]

    def are_partial(self, now_ms: int) -> list[bool]:
        """Returns for each interval whether it is not in the range as a whole, or ends after `now_ms`."""
        count = len(self.whole_ms) - 1
        past = max(0, min(count, bisect_right(self.whole_ms, now_ms) - 1))
        partial = [False] * past + [True] * (count - past)
        partial[0] = partial[0] or self.whole_ms[0] < self.start_ms
        partial[-1] = partial[-1] or self.whole_ms[-1] > self.end_ms
        return partial


def cut(start_ms: int, end_ms: int, interval: Interval, zone: tzinfo, most: int) -> Timeline | None:
    """Returns a range cut into intervals, None if there were more than `most`.

    `start_ms` is less than `end_ms`, both from 0 to 2^53-1. A range far too long is found to be so at no cost.
    """
    step = _STEP_SECONDS[interval]
    if end_ms - start_ms > most * step * 1_125:  # jumps of the clock make up for days, not for an eighth of all
        return None
    clock = Clock.around(start_ms, end_ms, zone, step + DAY_SECONDS)
    find = _on_the_grid if step <= _HOUR_SECONDS else _first_read
    whole_ms = [clock.to_ms(second) for second in find(clock, interval, step)]
    first, last = bisect_right(whole_ms, start_ms) - 1, bisect_left(whole_ms, end_ms)
    return Timeline(interval, start_ms, end_ms, whole_ms[first : last + 1]) if last - first <= most else None


def cut_finest(start_ms: int, end_ms: int, zone: tzinfo, most: int) -> Timeline | None:
    """Returns a range cut into the finest intervals of which there are at most `most`, None if there are none."""
    timelines = (cut(start_ms, end_ms, interval, zone, most) for interval in INTERVALS)
    return next(filter(None, timelines), None)


def _on_the_grid(clock: Clock, _: Interval, step: int) -> Iterator[int]:
    """Yields the seconds at which the clock reads a multiple of the step, and at which its offset leaves the grid."""
    previous = clock.stretches[0].offset
    for begin, end, offset in clock.stretches:
        if (offset - previous) % step and (begin + offset) % step:
            yield begin
        yield from range(begin - (begin + offset) % -step, end, step)
        previous = offset


def _first_read(clock: Clock, interval: Interval, step: int) -> Iterator[int]:
    """Yields the seconds at which the clock first reads each border of the calendar, or jumps over it."""
    readings = _readings(clock, interval, step)
    at = 0
    for begin, end, offset in clock.stretches:
        read = bisect_right(readings, begin + offset, at)
        if read > at:
            yield begin
        at = bisect_left(readings, end + offset, read)
        yield from (reading - offset for reading in readings[read:at])


def _readings(clock: Clock, interval: Interval, step: int) -> Sequence[int]:
    """Returns what the clock reads at the borders, from after its first reading on; some may be after its last."""
    first, last = clock.first_reading + 1, clock.last_reading
    if interval == "1M":
        return months(first, last)
    anchor = _MONDAY_SECONDS if interval == "1w" else 0
    return range(first - (first - anchor) % -step, last, step)
