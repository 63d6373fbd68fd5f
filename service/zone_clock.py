"""The clock of a time zone over a range of time: stretches with one offset each. Pure, no I/O.

All is in whole seconds: Unix seconds, and readings, which are what the clock shows as seconds since its 1970-01-01.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

DAY_SECONDS = 86_400

# The offsets of a zone change at most once in this time; a test holds tzdata to it. The least there is are 7 days.
_LOOK_SECONDS = 4 * DAY_SECONDS
# The calendar repeats after 400 years, weekdays too, and so do the rules by which zones will change. What is after the
# year 2400 is reckoned in the years from 2400 to 2800, so that no instant is too late for a datetime.
_CYCLE_SECONDS = 146_097 * DAY_SECONDS
_CYCLES_FROM_SECONDS = int(datetime(2400, 1, 1, tzinfo=UTC).timestamp())
_BLOCKS_A_CYCLE = 27
_BLOCK_SECONDS = _CYCLE_SECONDS // _BLOCKS_A_CYCLE  # 14.8 years
_FIRST_SECOND = -40 * DAY_SECONDS  # no range and its margin begin earlier
_BLOCKS_OF_ITS_OWN = 9  # from 1970 to 2103 a zone has changes that no rule makes: tzdata lists some up to 2087
_MOST_BLOCKS = 32_768  # remembered: all 36 of each zone, of which there are some 600
_EPOCH = datetime(1970, 1, 1)  # a reading has no zone


class _Changes(NamedTuple):
    """When the offset of a zone changes, in seconds that ascend, and the offset from then on."""

    seconds: Sequence[int]
    offsets: Sequence[int]


class Stretch(NamedTuple):
    """A stretch of time, `[begin, end)` in Unix seconds, in which the clock is `offset` seconds ahead of UTC."""

    begin: int
    end: int
    offset: int


@dataclass(frozen=True, slots=True)
class Clock:
    """The stretches of a zone's clock, without gap; each has another offset than the one before.

    They are `shift` seconds, a multiple of 400 years, before the time that they stand for.
    """

    stretches: list[Stretch]
    shift: int

    @classmethod
    def around(cls, start_ms: int, end_ms: int, zone: tzinfo, margin: int) -> "Clock":
        """Returns the clock from `margin` seconds before the start of a range to as long after its end."""
        shift = max(0, (start_ms // 1_000 - _CYCLES_FROM_SECONDS) // _CYCLE_SECONDS * _CYCLE_SECONDS)
        first, last = start_ms // 1_000 - margin - shift, -(-end_ms // 1_000) + margin - shift
        return cls(_stretches(first, last, zone), shift)

    def to_ms(self, second: int) -> int:
        """Returns the Unix ms that a second of the stretches stands for."""
        return (second + self.shift) * 1_000

    @property
    def first_reading(self) -> int:
        """Returns what the clock reads at the begin of the first stretch."""
        return self.stretches[0].begin + self.stretches[0].offset

    @property
    def last_reading(self) -> int:
        """Returns what the clock reads at the end of the last stretch."""
        return self.stretches[-1].end + self.stretches[-1].offset


def months(first: int, last: int) -> list[int]:
    """Returns the readings in `[first, last)` at which a month begins."""
    begin = _EPOCH + timedelta(seconds=first)
    found = []
    month = begin.year * 12 + begin.month - 1
    while (reading := _month_reading(month)) < last:
        if reading >= first:
            found.append(reading)
        month += 1
    return found


def _month_reading(month: int) -> int:
    year, index = divmod(month, 12)
    return (datetime(year, index + 1, 1) - _EPOCH).days * DAY_SECONDS


def _stretches(first: int, last: int, zone: tzinfo) -> list[Stretch]:
    found = []
    begin, offset = first, _offset(first, zone)
    for block in range((first - _FIRST_SECOND) // _BLOCK_SECONDS, (last - _FIRST_SECOND) // _BLOCK_SECONDS + 1):
        cycles = max(0, (block - _BLOCKS_OF_ITS_OWN) // _BLOCKS_A_CYCLE)
        shift = cycles * _CYCLE_SECONDS
        changes = _changes(block - cycles * _BLOCKS_A_CYCLE, zone)
        at, end = bisect_right(changes.seconds, first - shift), bisect_left(changes.seconds, last - shift)
        for second, next_offset in zip(changes.seconds[at:end], changes.offsets[at:end], strict=True):
            found.append(Stretch(begin, second + shift, offset))
            begin, offset = second + shift, next_offset
    return [*found, Stretch(begin, last, offset)]


@lru_cache(_MOST_BLOCKS)
def _changes(block: int, zone: tzinfo) -> _Changes:
    first = _FIRST_SECOND + block * _BLOCK_SECONDS
    looks = [*range(first, first + _BLOCK_SECONDS, _LOOK_SECONDS), first + _BLOCK_SECONDS]
    offsets = [_offset(look, zone) for look in looks]
    found = [
        (_change(before, after, zone), next_offset)
        for (before, after), (offset, next_offset) in zip(pairwise(looks), pairwise(offsets), strict=True)
        if offset != next_offset
    ]
    return _Changes(array("q", [second for second, _ in found]), array("q", [offset for _, offset in found]))


def _change(before: int, after: int, zone: tzinfo) -> int:
    """Returns the first second with another offset than `before`; there is one up to `after`."""
    offset = _offset(before, zone)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(middle, zone) == offset:
            before = middle
        else:
            after = middle
    return after


def _offset(second: int, zone: tzinfo) -> int:
    offset = datetime.fromtimestamp(second, zone).utcoffset()
    assert offset is not None  # noqa: S101 - the datetime has a zone
    return int(offset.total_seconds())
