"""Ranges cut into intervals of a zone's clock and calendar, against a walk over every half minute of the clock."""

import struct
from bisect import bisect_left, bisect_right
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import zone_clock
from service.calendar import INTERVALS, Interval, cut, cut_finest
from service.time_zones import NAMES, TimeZones

MAX_MS = 2**53 - 1
CYCLE_MS = 146_097 * 86_400_000
"""After 400 years the calendar, its weekdays and the rules of all zones repeat."""
MINUTE, HOUR, DAY = 60, 3_600, 86_400
_TICK = 30  # offsets change at no other seconds since 1970, in any zone
_SECONDS = {"1m": MINUTE, "5m": 5 * MINUTE, "15m": 15 * MINUTE, "1h": HOUR, "6h": 6 * HOUR, "1d": DAY, "1w": 7 * DAY}
_ZONEINFO = files("tzdata") / "zoneinfo"


@cache
def zone_of(name: str) -> ZoneInfo:
    """A zone as the package tzdata has it, whatever the machine has."""
    with _ZONEINFO.joinpath(*name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, name)


def changes_of(name: str) -> list[tuple[int, int, int]]:
    """The changes of a zone's offset that its file lists: Unix seconds, offset before and after (RFC 8536, 3)."""
    data = _ZONEINFO.joinpath(*name.split("/")).read_bytes()

    def counts(at: int) -> tuple[int, ...]:
        return struct.unpack_from(">6l", data, at + 20)

    is_utc, is_standard, leaps, times, types, letters = counts(0)
    at = 44 + times * 5 + types * 6 + letters + leaps * 8 + is_standard + is_utc
    *_, times, types, _ = counts(at)
    seconds = struct.unpack_from(f">{times}q", data, at + 44)
    indexes = data[at + 44 + 8 * times : at + 44 + 9 * times]
    first = at + 44 + 9 * times
    offsets = [struct.unpack_from(">l", data, first + 6 * index)[0] for index in (0, *indexes)]
    return [
        (second, before, after)
        for second, (before, after) in zip(seconds, pairwise(offsets), strict=True)
        if before != after and second > -40 * DAY
    ]


CHANGES = {change: name for name in sorted(NAMES) for change in changes_of(name)}
"""All changes of all zones that matter to instants from 1970 on, each with one zone that has it."""


def test_offsets_change_seldom() -> None:
    """No zone changes its offset twice within 6 days: the clock is looked at every 4."""
    assert len(CHANGES) > 4_000
    for name in NAMES:
        assert all(after[0] - before[0] > 6 * DAY for before, after in pairwise(changes_of(name)))
    assert all(second % _TICK == 0 for second, *_ in CHANGES)


def walked(ticks: np.ndarray, offsets: np.ndarray, interval: Interval) -> list[int]:
    """The Unix seconds among these ticks, but for the first, at which an interval begins."""
    readings = ticks + offsets
    step = _SECONDS.get(interval, 31 * DAY)
    if step <= HOUR:
        changes = np.diff(offsets)
        begins = (readings[1:] % step == 0) | (changes % step != 0)
        return list(map(int, ticks[1:][begins]))
    highest = np.maximum.accumulate(readings)
    if interval == "1M":
        number = highest.astype("datetime64[s]").astype("datetime64[M]").astype(int)
    else:
        number = (highest - (4 * DAY if interval == "1w" else 0)) // step
    return list(map(int, ticks[1:][np.diff(number) > 0]))


@pytest.mark.parametrize("interval", INTERVALS)
def test_borders_around_every_change_of_every_zone(interval: Interval) -> None:
    """Around each of them the borders are those at which the walk over the clock finds an interval to begin."""
    around = 90 * MINUTE if _SECONDS.get(interval, DAY) <= HOUR else 26 * HOUR
    relative = np.arange(-around, around + 1, _TICK)
    found = 0
    for (second, before, after), name in CHANGES.items():
        if second < around:
            continue
        walk = walked(second + relative, np.where(relative < 0, before, after), interval)
        first, last = second - around, second + around
        timeline = cut(first * 1000, last * 1000, interval, zone_of(name), 2_000)
        assert timeline is not None
        assert [border for border in timeline.whole_ms if first * 1000 < border < last * 1000] == [
            border * 1000 for border in walk if border < last
        ]
        found += len(walk)
    assert found


@cache
def every_offset(name: str, hour: int) -> tuple[int, ...]:
    """The offsets of a zone at each tick of an hour."""
    zone = zone_of(name)

    def offset(second: int) -> int:
        given = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)).astimezone(zone).utcoffset()
        assert given is not None
        return round(given.total_seconds())

    ticks = range(hour * HOUR, (hour + 1) * HOUR, _TICK)
    first, last = offset(ticks[0]), offset(ticks[-1])
    return (first,) * len(ticks) if first == last else tuple(map(offset, ticks))


@given(data=st.data())
def test_points_are_a_partition(data: st.DataObject) -> None:
    """Any range, in any zone, is covered without gap or overlap; inner borders are those of a walk over the clock."""
    name = data.draw(st.sampled_from(sorted(NAMES)))
    interval = data.draw(st.sampled_from(INTERVALS))
    length_ms = data.draw(st.integers(1, 40 * _SECONDS.get(interval, 2 * DAY) * 1000))
    start_ms = data.draw(st.integers(0, 100 * 365 * DAY * 1000))
    timeline = cut(start_ms, start_ms + length_ms, interval, zone_of(name), 2_000)
    assert timeline is not None
    borders = timeline.borders_ms
    assert (borders[0], borders[-1], timeline.interval) == (start_ms, start_ms + length_ms, interval)
    assert all(before < after for before, after in pairwise(borders))
    assert timeline.whole_ms[0] <= start_ms < timeline.whole_ms[1]
    assert timeline.whole_ms[-2] < start_ms + length_ms <= timeline.whole_ms[-1]
    hours = _SECONDS.get(interval, 31 * DAY) // HOUR + 25  # in which an interval begins for sure
    first, last = start_ms // (HOUR * 1000) - hours, (start_ms + length_ms) // (HOUR * 1000) + hours
    offsets = np.array([offset for hour in range(first, last) for offset in every_offset(name, hour)])
    walk = [second * 1000 for second in walked(np.arange(first * HOUR, last * HOUR, _TICK), offsets, interval)]
    begin, end = bisect_right(walk, start_ms) - 1, bisect_left(walk, start_ms + length_ms)
    assert timeline.whole_ms == walk[begin : end + 1]


@given(
    name=st.sampled_from(sorted(NAMES)),
    interval=st.sampled_from(INTERVALS),
    start_ms=st.integers(0, 300 * 365 * DAY * 1000),
    points=st.integers(1, 50),
    cycles=st.integers(1, MAX_MS // CYCLE_MS - 2),
)
def test_calendar_repeats_after_400_years(
    name: str, interval: Interval, start_ms: int, points: int, cycles: int
) -> None:
    """So it is for instants that no datetime holds, as it is 400 years before, once all changes are by rule."""
    start_ms += 400 * 366 * DAY * 1000
    end_ms = start_ms + points * _SECONDS.get(interval, 30 * DAY) * 1000
    early = cut(start_ms, end_ms, interval, zone_of(name), 100)
    late = cut(start_ms + cycles * CYCLE_MS, end_ms + cycles * CYCLE_MS, interval, zone_of(name), 100)
    assert early is not None
    assert late is not None
    assert late.whole_ms == [border + cycles * CYCLE_MS for border in early.whole_ms]


def ms(text: str, zone: str) -> int:
    """The Unix ms of an ISO 8601 time in a zone."""
    return int(datetime.fromisoformat(text).replace(tzinfo=zone_of(zone)).timestamp() * 1000)


@pytest.mark.parametrize(
    ("zone", "interval", "start", "end", "begins"),
    [
        ("Europe/Berlin", "1d", "2024-03-30", "2024-04-02", "30T00:00 31T00:00 01T00:00"),
        ("Europe/Berlin", "1h", "2024-03-31T01:00", "2024-03-31T04:00", "31T01:00 31T03:00"),
        ("Europe/Berlin", "1h", "2024-10-27T01:00", "2024-10-27T04:00", "27T01:00 27T02:00 27T02:00 27T03:00"),
        ("Europe/Berlin", "6h", "2024-10-27", "2024-10-28", "27T00:00 27T06:00 27T12:00 27T18:00"),
        ("Europe/Berlin", "1w", "2024-03-25", "2024-04-08", "25T00:00 01T00:00"),
        ("Asia/Shanghai", "1M", "2024-01-01", "2024-04-01", "01T00:00 01T00:00 01T00:00"),
        # the clock jumps from the end of the 29th to the 31st
        ("Pacific/Apia", "1d", "2011-12-29", "2012-01-01", "29T00:00 31T00:00"),
        ("Pacific/Kwajalein", "6h", "1993-08-20T18:00", "1993-08-22T06:00", "20T18:00 22T00:00"),
        # at midnight the clock is put forward by an hour
        ("America/Sao_Paulo", "1d", "2018-11-03", "2018-11-05", "03T00:00 04T01:00"),
        # half an hour: no multiple of an hour, but one of a quarter
        ("Australia/Lord_Howe", "1h", "2024-04-07T01:00", "2024-04-07T03:00", "07T01:00 07T01:30 07T02:00"),
        ("Australia/Lord_Howe", "1h", "2024-10-06T01:00", "2024-10-06T04:00", "06T01:00 06T02:30 06T03:00"),
        ("Australia/Lord_Howe", "15m", "2024-10-06T01:45", "2024-10-06T02:45", "06T01:45 06T02:30"),
        # the clock reads midnight, and a minute later it is put back by an hour
        ("America/St_Johns", "1d", "2009-10-31", "2009-11-02", "31T00:00 01T00:00"),
        ("America/St_Johns", "1h", "2009-10-31T23:00", "2009-11-01T01:00", "31T23:00 01T00:00 01T00:00"),
        # 44 minutes and 30 seconds are left out
        ("Africa/Monrovia", "1h", "1972-01-06T23:00", "1972-01-07T02:00", "06T23:00 07T00:44:30 07T01:00"),
        ("Asia/Kathmandu", "1h", "2024-01-01T00:00", "2024-01-01T02:00", "01T00:00 01T01:00"),
    ],
)
def test_borders_are_what_the_clock_reads(zone: str, interval: Interval, start: str, end: str, begins: str) -> None:
    """Where clocks did odd things the intervals begin at these readings."""
    timeline = cut(ms(start, zone), ms(end, zone), interval, zone_of(zone), 100)
    assert timeline is not None
    assert timeline.borders_ms == list(timeline.whole_ms)
    readings = [datetime.fromtimestamp(border / 1000, zone_of(zone)) for border in timeline.borders_ms[:-1]]
    assert [f"{reading:%dT%H:%M:%S}".removesuffix(":00") for reading in readings] == begins.split()


def test_partial_are_those_cut_by_the_range_or_the_present() -> None:
    """An interval is whole if the range has all of it and it is over."""
    zone = zone_of("UTC")
    timeline = cut(5, 3 * HOUR * 1000, "1h", zone, 10)
    assert timeline is not None
    assert timeline.are_partial(3 * HOUR * 1000) == [True, False, False]
    assert timeline.are_partial(3 * HOUR * 1000 - 1) == [True, False, True]
    assert timeline.are_partial(MAX_MS) == [True, False, False]
    assert timeline.are_partial(0) == [True, True, True]
    late = cut(0, 3 * HOUR * 1000 - 1, "1h", zone, 10)
    assert late is not None
    assert late.are_partial(MAX_MS) == [False, False, True]
    within = cut(7, 8, "1M", zone, 10)
    assert within is not None
    assert (within.are_partial(MAX_MS), within.borders_ms) == ([True], [7, 8])


@pytest.mark.parametrize("interval", INTERVALS)
def test_too_long_a_range_is_none(interval: Interval) -> None:
    """One interval more than there may be is none, and so is the longest range there is."""
    zone = zone_of("Europe/Berlin")
    whole = cut(0, 50 * _SECONDS.get(interval, 31 * DAY) * 1000, interval, zone, 1_000)
    assert whole is not None
    borders = whole.borders_ms
    assert cut(0, borders[20], interval, zone, 20) is not None
    assert cut(0, borders[20] + 1, interval, zone, 20) is None
    assert cut(0, MAX_MS, interval, zone, 2_000) is None


@given(
    name=st.sampled_from(sorted(NAMES)),
    start_ms=st.integers(0, MAX_MS - 1),
    length_ms=st.integers(1, 100 * 365 * DAY * 1000),
    most=st.integers(1, 50),
)
def test_finest_is_the_first_that_fits(name: str, start_ms: int, length_ms: int, most: int) -> None:
    """It has at most so many intervals, and every finer one more."""
    zone = zone_of(name)
    end_ms = min(start_ms + length_ms, MAX_MS)
    found = cut_finest(start_ms, end_ms, zone, most)
    fitting = [interval for interval in INTERVALS if cut(start_ms, end_ms, interval, zone, most)]
    assert (found.interval if found else None) == (fitting[0] if fitting else None)
    assert found is None or len(found.borders_ms) - 1 <= most


def test_a_zone_is_looked_at_once() -> None:
    """Whoever asks for other long ranges again and again makes nobody find the changes of the offset anew."""
    zone = ZoneInfo.no_cache("Australia/Lord_Howe")
    before = zone_clock._changes.cache_info().misses
    for start_ms in range(0, MAX_MS, MAX_MS // 300):
        cut(start_ms, min(start_ms + 150 * 365 * DAY * 1000, MAX_MS), "1M", zone, 2_000)
    assert 0 < zone_clock._changes.cache_info().misses - before <= 36


async def test_zones_are_those_of_the_package() -> None:
    """Every name is loaded, once; what machines have beside the zones is no name."""
    zones = TimeZones()
    loaded = {name: await zones.get(name) for name in NAMES}
    assert all(zone.key == name for name, zone in loaded.items())
    assert await zones.get("Asia/Shanghai") is loaded["Asia/Shanghai"]
    assert not NAMES & {"localtime", "posixrules", "posix/UTC", "right/UTC", "", "utc", "zones", "../tzdata/zones"}
