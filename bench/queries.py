"""How long the API takes to answer for ranges of every kind, and what Redis spends on it, with a single client."""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from bench.asking import ApiClient
from bench.changing import changing
from bench.jobs import PROJECT, Jobs, make_jobs
from bench.loading import filled_redis
from bench.ranges import KINDS, Draw, from_edge_minute
from bench.recount import Bounds
from bench.run import Row, Run, percentile
from bench.servers import RedisServer, Usage, environment_for, running_api, usage
from bench.waiting import WAITED, Watch, until_quiet
from deploy.local.process import Child

_JOBS = 300_000
_EDGE_JOBS = 10_000
_CHECKED = 20
_MOST_WAITED_PERCENT = 10.0


@dataclass(frozen=True, slots=True)
class _Case:
    """A project that is asked about."""

    name: str
    users: int
    kinds: dict[str, Draw] = field(default_factory=lambda: KINDS)
    in_minute: int = 0
    changes: bool = False


@dataclass(frozen=True, slots=True)
class _Served:
    """A filled store, the API over it, and its client."""

    redis: RedisServer
    api: Child
    client: ApiClient

    def usage(self) -> Usage:
        """What the processes have used that work on an answer."""
        return usage(self.redis.child, self.api, itself=True)


_CASES = (
    _Case("1 user", 1),
    _Case("20 users", 20),
    _Case("1,000 users", 1_000),
    _Case("5,000 users", 5_000),
    _Case("10,000 jobs in the first minute", 20, {"30 days": from_edge_minute}, in_minute=_EDGE_JOBS),
    _Case("20 users, while ingest changes them", 20, changes=True),
)


def measure(run: Run) -> list[Row]:
    """A row for each project and kind of range."""
    rows = [row for case in _CASES for row in _measure_case(run, case)]
    _state_goals(run, {str(row["measured"]): row for row in rows})
    return rows


def _measure_case(run: Run, case: _Case) -> list[Row]:
    jobs = make_jobs(run.count(_JOBS, 2_000), case.users, in_minute=run.count(case.in_minute, 0))
    with ExitStack() as stack:
        run.say(f"queries: {case.name}")
        redis = stack.enter_context(filled_redis(run.folder, jobs))
        environment = environment_for(redis_port=redis.port)
        api = stack.enter_context(running_api(run.folder, environment))
        client = stack.enter_context(ApiClient(int(environment["STATS_HTTP_PORT"])))
        served = _Served(redis, api, client)
        _check(case, jobs, client)  # the API also learns the project's shape from it
        if not case.changes:
            return _measure_kinds(run, case, served)
        change = stack.enter_context(changing(run.folder, redis, jobs))
        rows = _measure_kinds(run, case, served)
        _check(case, change.stop(), client)
        return rows


def _check(case: _Case, jobs: Jobs, client: ApiClient) -> None:
    for kind, draw in case.kinds.items():
        rnd = random.Random(f"check {kind}")
        for _ in range(_CHECKED):
            bounds = draw(rnd)
            jobs.check_body(bounds, client.ask(PROJECT, bounds)[0], f"the API, {case.name}")


def _measure_kinds(run: Run, case: _Case, served: _Served) -> list[Row]:
    rows = []
    for kind, draw in case.kinds.items():
        questions = _questions(random.Random(kind), draw)
        name, count = f"{case.name}: {kind}", run.count(500, 50)
        rows.append(until_quiet(run, _MOST_WAITED_PERCENT, partial(_measure, name, served, questions, count)))
    return rows


def _questions(rnd: random.Random, draw: Draw) -> Iterator[Bounds]:
    while True:
        yield draw(rnd)


def _measure(name: str, served: _Served, questions: Iterator[Bounds], count: int) -> Row:
    watch, redis_cpu_seconds, used = Watch(served.usage), served.redis.cpu_seconds(), usage(served.api)
    latencies_ms = [served.client.ask(PROJECT, bounds)[1] * 1000 for bounds in islice(questions, count)]
    waited_percent, used = watch.percent(), usage(served.api) - used
    redis_cpu_seconds = served.redis.cpu_seconds() - redis_cpu_seconds
    return {
        "measured": name,
        "requests": count,
        "p50_ms": round(percentile(latencies_ms, 50), 2),
        "p99_ms": round(percentile(latencies_ms, 99), 2),
        WAITED: waited_percent,
        "api_cpu_us_per_query": round(used.cpu_seconds / count * 1e6, 1),
        "redis_cpu_us_per_query": round(redis_cpu_seconds / count * 1e6, 1),
    }


def _state_goals(run: Run, rows: dict[str, Row]) -> None:
    for users in ("1 user", "20 users", "1,000 users", "5,000 users"):
        hour, years = rows[f"{users}: 1 hour"], rows[f"{users}: 2 years"]
        ratio = float(years["p50_ms"]) / float(hour["p50_ms"])
        run.keep(f"queries, {users}: 2 years by 1 hour", ratio, 1.3, of=(hour, years))
    for name in ("20 users: random bounds", "20 users: 2 years", "20 users, while ingest changes them: random bounds"):
        row = rows[name]
        run.keep(f"queries, {name}: p99 by p50", float(row["p99_ms"]) / float(row["p50_ms"]), 3, of=[row])
