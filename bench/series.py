"""How long the store and other databases take for the same series over the same jobs of one project."""

import random
import time
from collections.abc import Mapping
from contextlib import ExitStack

from bench.databases import ours
from bench.databases.asking import Database
from bench.databases.compared import LEAST_JOBS, OTHERS, SIZES, USERS
from bench.jobs import make_jobs
from bench.points import SERIES, PointRecount
from bench.run import Row, Run, percentile

_SECONDS = 4.0  # for each kind of series, of all databases together
_LEAST_ROUNDS, _ROUNDS = 3, 60
_OURS = "ours"
_TIMES = 5
_DATABASES = {_OURS: ours.serving, **OTHERS}


def measure(run: Run) -> list[Row]:
    """A row for each size, kind of series and database."""
    return [row for size in SIZES for row in _measure_size(run, run.count(size, LEAST_JOBS))]


def _measure_size(run: Run, size: int) -> list[Row]:
    jobs = make_jobs(size, USERS)
    recount = PointRecount(jobs)
    rows = []
    with ExitStack() as stack:
        databases = {}
        for name, serving in _DATABASES.items():
            run.say(f"series: {size:,} jobs into {name}")
            databases[name] = stack.enter_context(serving(run.folder, jobs))
        for kind in SERIES:
            title = f"{size:,} jobs, {kind}"
            measured = _measure_kind(run, title, kind, databases, recount)
            rows += [{"measured": f"{title}: {name}", **measured[name]} for name in databases]
            if size == run.count(max(SIZES), LEAST_JOBS):
                fastest_ms, ours_ms = (_middle_ms(measured, theirs) for theirs in (True, False))
                run.reach(f"series, {title}: fastest by ours", fastest_ms / ours_ms, _TIMES)
    return rows


def _middle_ms(measured: Mapping[str, Row], theirs: bool) -> float:
    """The median of the fastest of the others, or ours."""
    return min(float(row["p50_ms"]) for name, row in measured.items() if (name != _OURS) == theirs)


def _measure_kind(
    run: Run, title: str, kind: str, databases: Mapping[str, Database], recount: PointRecount
) -> dict[str, Row]:
    """All databases by turns, so that what else the machine does is the same for all."""
    run.say(f"series: {title}")
    rnd = random.Random(kind)
    seconds: dict[str, list[float]] = {name: [] for name in databases}
    cpu_seconds = dict.fromkeys(databases, 0.0)
    for database in databases.values():  # learns what it keeps
        database.ask_series(SERIES[kind](rnd))
    ends, rounds = time.monotonic() + _SECONDS, run.count(_ROUNDS, _LEAST_ROUNDS)
    while len(seconds[_OURS]) < _LEAST_ROUNDS or (len(seconds[_OURS]) < rounds and time.monotonic() < ends):
        points = SERIES[kind](rnd)
        for name, database in databases.items():
            cpu_seconds[name] -= database.cpu_seconds() + time.process_time()
            started = time.perf_counter()
            sums = database.ask_series(points)
            seconds[name].append(time.perf_counter() - started)
            cpu_seconds[name] += time.process_time() + database.cpu_seconds()
            recount.check(f"{name}, {title}", points.borders_ms, sums())
    return {
        name: {
            "p50_ms": round(percentile(taken, 50) * 1000, 2),
            "least_ms": round(min(taken) * 1000, 2),
            "cpu_ms": round(cpu_seconds[name] / len(taken) * 1000, 2),
        }
        for name, taken in seconds.items()
    }
