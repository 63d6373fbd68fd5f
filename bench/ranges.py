"""The kinds of range that are asked for, drawn at random among the start times of bench.jobs."""

import random
from collections.abc import Callable

from bench.jobs import MINUTE_MS, SPAN_MS, edge_minute_ms
from bench.recount import Bounds
from bench.streams import DAY_MS, FIRST_MS

_HOUR_MS = 3_600_000

Draw = Callable[[random.Random], Bounds]


def _window(rnd: random.Random, width_ms: int) -> Bounds:
    start_ms = FIRST_MS + rnd.randrange(SPAN_MS - width_ms)
    return start_ms, start_ms + width_ms


def _hour(rnd: random.Random) -> Bounds:
    return _window(rnd, _HOUR_MS)


def _month(rnd: random.Random) -> Bounds:
    return _window(rnd, 30 * DAY_MS)


def _years(rnd: random.Random) -> Bounds:
    return FIRST_MS + rnd.randrange(DAY_MS), FIRST_MS + SPAN_MS - rnd.randrange(DAY_MS)


def _all_time(_: random.Random) -> Bounds:
    return None, None


def random_range(rnd: random.Random) -> Bounds:
    """Two instants, the earlier first."""
    first, last = sorted((rnd.randrange(SPAN_MS), rnd.randrange(SPAN_MS)))
    return FIRST_MS + first, FIRST_MS + last


def from_edge_minute(rnd: random.Random) -> Bounds:
    """From an instant of the minute that may hold very many jobs, for 30 days."""
    start_ms = edge_minute_ms() + rnd.randrange(MINUTE_MS)
    return start_ms, start_ms + 30 * DAY_MS


KINDS: dict[str, Draw] = {
    "1 hour": _hour,
    "30 days": _month,
    "2 years": _years,
    "all time": _all_time,
    "random bounds": random_range,
}
