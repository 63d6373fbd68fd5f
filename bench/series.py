"""How long the store and other databases take for the same series over the same jobs of one project."""

import random
import time
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial

from bench.databases import ours
from bench.databases.asking import Database
from bench.databases.compared import LEAST_JOBS, OTHERS, SIZES, USERS
from bench.jobs import make_jobs
from bench.points import SERIES, PointRecount
from bench.run import Row, Run, percentile
from bench.waiting import WAITED, Watch, all_until_quiet

_SECONDS = 4.0  # for each kind of series, of all databases together
_LEAST_ROUNDS, _ROUNDS = 3, 60
_OURS = "ours"
_TIMES = 5
_MOST_WAITED_PERCENT = 15.0  # parallel workers wait for each other
_DATABASES = {_OURS: ours.serving, **OTHERS}


def measure(run: Run) -> list[Row]:
    """A row for each kind of series and database."""
    size = run.count(max(SIZES), LEAST_JOBS)
    jobs = make_jobs(size, USERS)
    recount = PointRecount(jobs)
    rows = []
    with ExitStack() as stack:
        databases = {}
        for name, serving in _DATABASES.items():
            run.say(f"series: {size:,} jobs into {name}")
            databases[name] = stack.enter_context(serving(run.folder, jobs))
        for kind in SERIES:
            run.say(f"series: {kind}")
            rnd = random.Random(kind)  # other series in each try
            measured = all_until_quiet(
                run, _MOST_WAITED_PERCENT, partial(_measure_kind, run, kind, rnd, databases, recount)
            )
            rows += measured
            our_ms, *their_ms = (float(row["p50_ms"]) for row in measured)
            run.reach(f"series, {kind}: fastest by ours", min(their_ms) / our_ms, _TIMES, of=measured)
    return rows


def _measure_kind(
    run: Run, kind: str, rnd: random.Random, databases: Mapping[str, Database], recount: PointRecount
) -> list[Row]:
    """All databases by turns, so that what else the machine does is the same for all; ours is the first row."""
    seconds: dict[str, list[float]] = {name: [] for name in databases}
    cpu_seconds = dict.fromkeys(databases, 0.0)
    for database in databases.values():  # learns what it keeps
        database.ask_series(SERIES[kind](rnd))
    watch, ends, rounds = Watch(), time.monotonic() + _SECONDS, run.count(_ROUNDS, _LEAST_ROUNDS)
    while len(seconds[_OURS]) < _LEAST_ROUNDS or (len(seconds[_OURS]) < rounds and time.monotonic() < ends):
        points = SERIES[kind](rnd)
        for name, database in databases.items():
            cpu_seconds[name] -= database.cpu_seconds() + time.process_time()
            started = time.perf_counter()
            sums = database.ask_series(points)
            seconds[name].append(time.perf_counter() - started)
            cpu_seconds[name] += time.process_time() + database.cpu_seconds()
            recount.check(f"{name}, {kind}", points.borders_ms, sums())
    waited = watch.percent()
    return [
        {
            "measured": f"{kind}: {name}",
            "p50_ms": round(percentile(taken, 50) * 1000, 2),
            "least_ms": round(min(taken) * 1000, 2),
            "cpu_ms": round(cpu_seconds[name] / len(taken) * 1000, 2),
            WAITED: waited,
        }
        for name, taken in seconds.items()
    ]
