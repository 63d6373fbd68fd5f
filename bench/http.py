"""What one API process can answer under wrk, beside its floors: a constant body, and a body made of ready sums."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from bench.asking import ApiClient, path_of
from bench.changing import changing
from bench.constant import running_constant
from bench.jobs import PROJECT, Jobs, make_jobs, to_body
from bench.loading import filled_redis
from bench.ranges import KINDS, Draw, random_range
from bench.run import Row, Run
from bench.servers import RedisServer, environment_for, running_api
from bench.turns import Contender, Turns, alternate, ratios, rows_of
from deploy.local.process import Child

_JOBS = 300_000
_FEW, _MANY = 20, (1_000, 5_000)
_URLS = 20_000  # more than a turn asks for, so that none is asked twice
_FLOOR_URLS = 1_000
_CHECKED = 20
_REPEATED, _RANDOM, _CHANGING = "repeated", "random ranges", "random ranges, changing"


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
    rnd: random.Random

    def ours(self, draw: Draw) -> Contender:
        """The API, which is asked for other ranges of this kind in each turn."""
        return Contender(self.api, self.api_port, lambda: self._paths(draw))

    def repeated(self) -> Contender:
        """The API, which is asked for one range."""
        paths = self._paths(random_range, 1)
        return Contender(self.api, self.api_port, lambda: paths)

    def constant(self) -> Contender:
        """The floor, whatever the range."""
        paths = self._paths(random_range, _FLOOR_URLS)
        return Contender(self.floor, self.floor_port, lambda: paths)

    def built(self) -> Contender:
        """The floor that makes its body of ready sums."""
        return Contender(self.floor, self.floor_port, lambda: ["/built"])

    def _paths(self, draw: Draw, count: int = _URLS) -> list[str]:
        return [path_of(PROJECT, draw(self.rnd)) for _ in range(count)]


def measure(run: Run) -> list[Row]:
    """A row for each floor and what is compared with it: 20 users with and without changes, 1,000 and 5,000 users."""
    count = run.count(_JOBS, 2_000)
    with _filled(run, make_jobs(count, _FEW)) as bench:
        few = alternate(
            bench.run,
            bench.redis,
            {"constant": bench.constant(), _REPEATED: bench.repeated(), _RANDOM: bench.ours(random_range)},
        )
        changed = _while_changing(bench)
    rows = rows_of(few) + rows_of(changed)
    _state_goals(run, few, changed, rows)
    for users in _MANY:
        with _filled(run, make_jobs(count, run.count(users, _FEW))) as bench:
            contenders = {
                f"built, {users:,} users": bench.built(),
                f"random ranges, {users:,} users": bench.ours(random_range),
                f"2 years, {users:,} users": bench.ours(KINDS["2 years"]),
            }
            rows += rows_of(turns := alternate(bench.run, bench.redis, contenders))
    built, _, years = turns.values()
    by_built = 1 / median(ratios(built, years)[1])
    run.keep(f"http, {_MANY[-1]:,} users: CPU of 2 years by built", by_built, 2, of=(rows[-3], rows[-1]))
    return rows


@contextmanager
def _filled(run: Run, jobs: Jobs) -> Iterator[_Bench]:
    run.say(f"http: {len(jobs):,} jobs of {jobs.user_count:,} users")
    body = to_body(jobs.count((None, None)))
    with filled_redis(run.folder, jobs) as redis:
        environment = environment_for(redis_port=redis.port)
        port = int(environment["STATS_HTTP_PORT"])
        with running_api(run.folder, environment) as api, running_constant(run.folder, body) as (floor, floor_port):
            bench = _Bench(run, jobs, redis, api, port, floor, floor_port, random.Random(1))
            _check(bench, jobs)
            yield bench


def _check(bench: _Bench, jobs: Jobs) -> None:
    with ApiClient(bench.api_port) as client:
        for bounds in [(None, None), *[random_range(bench.rnd) for _ in range(_CHECKED)]]:
            jobs.check_body(bounds, client.ask(PROJECT, bounds)[0], "the API")


def _while_changing(bench: _Bench) -> Turns:
    """At the end the answers must have every change."""
    with changing(bench.run.folder, bench.redis, bench.jobs) as change:
        contenders = {"constant, changing": bench.constant(), _CHANGING: bench.ours(random_range)}
        turns = alternate(bench.run, bench.redis, contenders)
        jobs = change.stop()
    _check(bench, jobs)
    return turns


def _state_goals(run: Run, few: Turns, changed: Turns, rows: Sequence[Row]) -> None:
    by_name = {row["measured"]: row for row in rows}
    for turns, name, limit in ((few, _REPEATED, 0.75), (few, _RANDOM, 0.16), (changed, _CHANGING, 0.15)):
        floor = next(iter(turns))
        rates, cpu = ratios(turns[floor], turns[name])
        of = [by_name[floor], by_name[name]]
        run.reach(f"http, {name}: rate by a constant body's", median(rates), limit, of)
        run.reach(f"http, {name}: a constant body's CPU by ours", median(cpu), limit, of)
    row = by_name[_RANDOM]
    run.keep(f"http, {_RANDOM}: Redis CPU, us", float(row["redis_cpu_us_per_request"]), 100, of=[row])
