"""How long the API takes to answer for ranges of every kind, and what Redis spends on it, with a single client."""

import asyncio
import random
from contextlib import ExitStack
from dataclasses import dataclass, field

from bench.asking import ApiClient
from bench.changing import changing
from bench.jobs import PROJECT, Jobs, make_jobs
from bench.loading import load
from bench.ranges import KINDS, Draw, from_edge_minute
from bench.run import Row, Run, percentile
from bench.servers import RedisServer, environment_for, running_api, running_redis

_JOBS = 300_000
_EDGE_JOBS = 10_000
_CHECKED = 20


@dataclass(frozen=True, slots=True)
class _Case:
    """A project that is asked about."""

    name: str
    users: int
    kinds: dict[str, Draw] = field(default_factory=lambda: KINDS)
    in_minute: int = 0
    changes: bool = False


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
        redis = stack.enter_context(running_redis(run.folder))
        run.say(f"queries: {case.name}")
        asyncio.run(load(redis.url, jobs.events()))
        environment = environment_for(redis_port=redis.port)
        stack.enter_context(running_api(run.folder, environment))
        client = stack.enter_context(ApiClient(int(environment["STATS_HTTP_PORT"])))
        _check(case, jobs, client)  # the API also learns the project's shape from it
        if not case.changes:
            return _measure_kinds(run, case, client, redis)
        change = stack.enter_context(changing(run.folder, redis, jobs))
        rows = _measure_kinds(run, case, client, redis)
        _check(case, change.stop(), client)
        return rows


def _check(case: _Case, jobs: Jobs, client: ApiClient) -> None:
    for kind, draw in case.kinds.items():
        rnd = random.Random(f"check {kind}")
        for _ in range(_CHECKED):
            bounds = draw(rnd)
            jobs.check_body(bounds, client.ask(PROJECT, bounds)[0], f"the API, {case.name}")


def _measure_kinds(run: Run, case: _Case, client: ApiClient, redis: RedisServer) -> list[Row]:
    rows: list[Row] = []
    for kind, draw in case.kinds.items():
        rnd = random.Random(kind)
        questions = [draw(rnd) for _ in range(run.count(500, 50))]
        redis_cpu_seconds = redis.cpu_seconds()
        latencies_ms = [client.ask(PROJECT, bounds)[1] * 1000 for bounds in questions]
        redis_cpu_seconds = redis.cpu_seconds() - redis_cpu_seconds
        rows.append(
            {
                "measured": f"{case.name}: {kind}",
                "requests": len(questions),
                "p50_ms": round(percentile(latencies_ms, 50), 2),
                "p99_ms": round(percentile(latencies_ms, 99), 2),
                "redis_cpu_us_per_query": round(redis_cpu_seconds / len(questions) * 1e6, 1),
            }
        )
    return rows


def _state_goals(run: Run, rows: dict[str, Row]) -> None:
    for users in ("1 user", "20 users", "1,000 users", "5,000 users"):
        hour, years = rows[f"{users}: 1 hour"], rows[f"{users}: 2 years"]
        run.keep(f"queries, {users}: 2 years by 1 hour", float(years["p50_ms"]) / float(hour["p50_ms"]), 1.3)
    for name in ("20 users: random bounds", "20 users: 2 years", "20 users, while ingest changes them: random bounds"):
        run.keep(f"queries, {name}: p99 by p50", float(rows[name]["p99_ms"]) / float(rows[name]["p50_ms"]), 3)
