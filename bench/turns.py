"""Turns of wrk at several servers, again and again, so that what else the machine does is the same for all.

wrk and Redis take a part of the cores, so ratios count: of rates, and of the CPU time of a request in the server.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench import wrk
from bench.asking import administrator_token
from bench.jobs import PROJECT
from bench.run import VOID, Row, Run
from bench.servers import RedisServer, usage
from bench.waiting import WAITED
from deploy.local.process import Child

_TURNS, _TURN_SECONDS = 5, 2
_MOST_WAITED_PERCENT = 30.0  # of its time: wrk and Redis have the same cores


@dataclass(frozen=True, slots=True)
class Contender:
    """What wrk asks for in each of its turns, and of which server."""

    server: Child
    port: int
    paths: Callable[[], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Turn:
    """The microseconds of CPU that a request took in one turn, and how much of it the server waited for a core."""

    load: wrk.Load
    cpu_us: float
    waited_percent: float
    redis_cpu_us: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.load.requests / self.load.seconds


Turns = Mapping[str, Sequence[Turn]]
"""The turns of each contender; the first is the floor of the others."""


def alternate(run: Run, redis: RedisServer, contenders: Mapping[str, Contender]) -> Turns:
    """One turn each to warm up, then several."""
    turns: dict[str, list[Turn]] = {name: [] for name in contenders}
    for number in range(run.count(_TURNS, 2) + 1):
        for name, contender in contenders.items():
            run.say(f"{name}, {f'turn {number}' if number else 'warming up'}")
            seconds = run.count(_TURN_SECONDS, 1) if number else 1
            turn = _take_turn(run, redis, contender, seconds)
            if number:
                turns[name].append(turn)
    return turns


def _take_turn(run: Run, redis: RedisServer, contender: Contender, seconds: int) -> Turn:
    paths = contender.paths()
    used, redis_cpu = usage(contender.server), redis.cpu_seconds()
    load = wrk.ask(run.folder, contender.port, paths, administrator_token(PROJECT), seconds)
    used, redis_cpu = usage(contender.server) - used, redis.cpu_seconds() - redis_cpu
    us = 1e6 / load.requests
    return Turn(load, used.cpu_seconds * us, used.waited_seconds / load.seconds * 100, redis_cpu * us)


def ratios(floor: Sequence[Turn], ours: Sequence[Turn]) -> tuple[list[float], list[float]]:
    """The rates by the floor's, and the floor's CPU time by ours, of turns that followed each other."""
    pairs = list(zip(floor, ours, strict=True))
    return [our.rate / base.rate for base, our in pairs], [base.cpu_us / our.cpu_us for base, our in pairs]


def rows_of(turns: Turns) -> list[Row]:
    """A row for each contender, with medians over its turns."""
    floor = next(iter(turns.values()))
    return [_row(name, floor, ours) for name, ours in turns.items()]


def _row(name: str, floor: Sequence[Turn], turns: Sequence[Turn]) -> Row:
    def middle(read: Callable[[Turn], float], digits: int | None = 1) -> float:
        return round(median(map(read, turns)), digits)

    rates, cpu = ratios(floor, turns)
    waited_percent = middle(lambda turn: turn.waited_percent)
    row: Row = {
        "measured": name,
        "requests_per_second": middle(lambda turn: turn.rate, None),
        "p50_ms": middle(lambda turn: turn.load.p50_ms, 2),
        "p99_ms": middle(lambda turn: turn.load.p99_ms, 2),
        WAITED: waited_percent,
        "server_cpu_us_per_request": middle(lambda turn: turn.cpu_us),
        "redis_cpu_us_per_request": middle(lambda turn: turn.redis_cpu_us),
        "rate_by_floor": _spread(rates),
        "floor_cpu_by_cpu": _spread(cpu),
    }
    return row | ({VOID: True} if waited_percent > _MOST_WAITED_PERCENT else {})


def _spread(ratios: Sequence[float]) -> str:
    """The middle, the least and the greatest."""
    return f"{median(ratios):.3g} ({min(ratios):.3g} to {max(ratios):.3g})"
