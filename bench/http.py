"""Requests a second of one API process under wrk, beside the floor: the same server with a constant body."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from bench import wrk
from bench.asking import ApiClient, administrator_token, path_of
from bench.changing import changing
from bench.constant import running_constant
from bench.jobs import PROJECT, Jobs, make_jobs, to_body
from bench.loading import load
from bench.ranges import random_range
from bench.run import Row, Run
from bench.servers import RedisServer, cpu_seconds, environment_for, running_api, running_redis
from deploy.local.process import Child

_URLS = 50_000  # more than are asked for, so that none is asked twice
_CHECKED = 20
_WARMING_URLS = 5_000  # the last ones, which the load does not come to


@dataclass(frozen=True, slots=True)
class _Bench:
    """A filled store, the API over it, and the floors, which answer with a body of the same size."""

    run: Run
    jobs: Jobs
    redis: RedisServer
    api: Child
    api_port: int
    floor: Child
    floor_port: int
    token: str
    rnd: random.Random

    def paths(self) -> list[str]:
        """Random ranges, other ones each time."""
        return [path_of(PROJECT, random_range(self.rnd)) for _ in range(_URLS)]

    @property
    def seconds(self) -> int:
        """How long each load lasts."""
        return self.run.count(5, 1)


def measure(run: Run) -> list[Row]:
    """20 users with and without changes, 5,000 users, each beside its floors."""
    jobs, many = run.count(300_000, 2_000), run.count(5_000, 20)
    with _filled(run, make_jobs(jobs, 20)) as bench:
        passes = [_unchanged(bench) for _ in range(run.repeats)]
        _measure_changing(bench, passes)
    with _filled(run, make_jobs(jobs, many)) as bench:
        for each in passes:
            each.extend(_many_users(bench))
    rows = [_middle(same) for same in zip(*passes, strict=True)]
    _state_goals(run, rows)
    return rows


def _unchanged(bench: _Bench) -> list[Row]:
    return [
        _load(bench, "floor", bench.paths(), floor=True),
        _load(bench, "random ranges", bench.paths()),
        _load(bench, "repeated", bench.paths()[:1]),
    ]


def _many_users(bench: _Bench) -> list[Row]:
    return [
        _load(bench, "constant, 5,000 users", bench.paths(), floor=True),
        _load(bench, "built, 5,000 users", ["/built"], floor=True),
        _load(bench, "random, 5,000 users", bench.paths()),
    ]


def _measure_changing(bench: _Bench, passes: list[list[Row]]) -> None:
    """Adds to each pass what is measured while the project changes; at the end its answers must have every change."""
    with changing(bench.run.folder, bench.redis, bench.jobs) as change:
        for rows in passes:
            rows.append(_load(bench, "floor, changing", bench.paths(), floor=True))
            rows.append(_load(bench, "random, changing", bench.paths()))
            change.child.check()
        jobs = change.stop()
    _check(bench, jobs)


def _check(bench: _Bench, jobs: Jobs) -> None:
    with ApiClient(bench.api_port) as client:
        for bounds in [(None, None), *[random_range(bench.rnd) for _ in range(_CHECKED)]]:
            jobs.check_body(bounds, client.ask(PROJECT, bounds)[0], "the API")


@contextmanager
def _filled(run: Run, jobs: Jobs) -> Iterator[_Bench]:
    run.say(f"http: applying {len(jobs):,} jobs of {jobs.user_count:,} users")
    with running_redis(run.folder) as redis:
        asyncio.run(load(redis.url, jobs.events()))
        environment = environment_for(redis_port=redis.port)
        api_port = int(environment["STATS_HTTP_PORT"])
        body = to_body(jobs.count((None, None)))
        with running_api(run.folder, environment) as api, running_constant(run.folder, body) as (floor, floor_port):
            bench = _Bench(
                run, jobs, redis, api, api_port, floor, floor_port, administrator_token(PROJECT), random.Random(1)
            )
            _check(bench, jobs)
            yield bench


def _load(bench: _Bench, name: str, paths: Sequence[str], *, floor: bool = False) -> Row:
    bench.run.say(f"http: {name}")
    server, port = (bench.floor, bench.floor_port) if floor else (bench.api, bench.api_port)
    wrk.ask(bench.run.folder, port, paths[-_WARMING_URLS:], bench.token, 1)
    cpu, redis_cpu, mget_us = cpu_seconds(server), bench.redis.cpu_seconds(), _mget_us(bench.redis)
    load = wrk.ask(bench.run.folder, port, paths, bench.token, bench.seconds)
    return {
        "measured": name,
        "requests_per_second": round(load.requests / load.seconds),
        "p50_ms": load.p50_ms,
        "p99_ms": load.p99_ms,
        "p99_9_ms": load.p999_ms,
        "server_cpu_us_per_request": round((cpu_seconds(server) - cpu) / load.requests * 1e6, 1),
        "redis_cpu_us_per_request": round((bench.redis.cpu_seconds() - redis_cpu) / load.requests * 1e6, 1),
        "redis_reading_us_per_request": round((_mget_us(bench.redis) - mget_us) / load.requests, 1),
    }


def _mget_us(redis: RedisServer) -> float:
    """What Redis has spent inside of MGET, its network left out."""
    statistics = redis.client.info("commandstats")
    return float(statistics.get("cmdstat_mget", {"usec": 0})["usec"])


def _middle(rows: Sequence[Row]) -> Row:
    """The medians over the passes."""
    numbers = {name: round(median([float(row[name]) for row in rows]), 3) for name in rows[0] if name != "measured"}
    return {"measured": rows[0]["measured"], **numbers}


def _state_goals(run: Run, rows: Sequence[Row]) -> None:
    by_name = {str(row["measured"]): row for row in rows}

    def rate(name: str) -> float:
        return float(by_name[name]["requests_per_second"])

    ratios = {
        "random ranges by floor": rate("random ranges") / rate("floor"),
        "random by floor, while the project changes": rate("random, changing") / rate("floor, changing"),
    }
    for name, ratio in ratios.items():
        run.reach(f"http: {name}", ratio, 0.2)
    run.reach("http: repeated by floor", rate("repeated") / rate("floor"), 0.75)
    run.keep("http: built alone by random, 5,000 users", rate("built, 5,000 users") / rate("random, 5,000 users"), 3)
    run.keep("http: Redis CPU, us a query, 20 users", float(by_name["random ranges"]["redis_cpu_us_per_request"]), 100)
