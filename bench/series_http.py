"""How long a time series takes over HTTP, beside a constant body of the same size, for a single client."""

import json
import random
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

import numpy as np

from bench.asking import ApiClient
from bench.constant import running_constant
from bench.jobs import PROJECT, SPAN_MS, Jobs, make_jobs
from bench.loading import filled_redis
from bench.points import ZONE, PointRecount
from bench.recount import Bounds, WrongAnswerError
from bench.run import Row, Run, percentile
from bench.servers import RedisServer, environment_for, running_api, usage
from bench.streams import DAY_MS, FIRST_MS
from bench.waiting import WAITED, Watch, until_quiet
from deploy.local.process import Child
from service.events.event import JobStatus

_LEAST_JOBS = 2_000
_FEW = 20
_SIZES = ((3_000_000, _FEW), (300_000, 5_000))
"""Numbers of jobs and of users. So many jobs of so many users as of few would take minutes to write."""
_HOUR_MS = 3_600_000
_QUESTIONS = 100
_WARMING = 5
_TIMES = 30
_MOST_WAITED_PERCENT = 10.0
_KINDS = {
    "1 day by 1h": (DAY_MS, "1h"),
    "1 day by 1m": (DAY_MS, "1m"),
    "33 hours by 1m": (33 * _HOUR_MS, "1m"),
    "30 days by 1h": (30 * DAY_MS, "1h"),
    "83 days by 1h": (83 * DAY_MS, "1h"),
    "499 days by 6h": (499 * DAY_MS, "6h"),
    "2 years by 1d": (729 * DAY_MS, "1d"),
    "2 years by 1M": (729 * DAY_MS, "1M"),
}
_GOALS = ("33 hours by 1m", "83 days by 1h", "499 days by 6h")  # of 2,000 points or somewhat fewer


@dataclass(frozen=True, slots=True)
class _Served:
    """A filled store with the API over it, and what its answers must be."""

    redis: RedisServer
    api: Child
    client: ApiClient
    recount: PointRecount


def measure(run: Run) -> list[Row]:
    """A row for each number of users and kind of series."""
    rows = []
    for size, users in _SIZES:
        jobs = make_jobs(run.count(size, _LEAST_JOBS), run.count(users, _FEW))
        title = f"{len(jobs):,} jobs, {jobs.user_count:,} users"
        run.say(f"series-http: applying {title}")
        rows += _measure_jobs(run, title, jobs)
    for row in rows:
        title, _, kind = str(row["measured"]).partition(": ")
        if kind in _GOALS and title.endswith(f" {_FEW} users"):
            run.keep(f"series-http, {kind}: by a constant body, ms", _ratio(row, "least_ms"), _TIMES, of=[row])
            run.keep(f"series-http, {kind}: by a constant body, CPU", _ratio(row, "cpu_ms"), _TIMES, of=[row])
    return rows


def _ratio(row: Row, figure: str) -> float:
    return float(row[figure]) / float(row[f"constant_{figure}"])


def _measure_jobs(run: Run, title: str, jobs: Jobs) -> list[Row]:
    with filled_redis(run.folder, jobs) as redis:
        environment = environment_for(redis_port=redis.port)
        with running_api(run.folder, environment) as api, ApiClient(int(environment["STATS_HTTP_PORT"])) as client:
            served = _Served(redis, api, client, PointRecount(jobs))
            rows = []
            for kind in _KINDS:
                rnd = random.Random(kind)  # other ranges in each try
                measuring = partial(_measure_kind, run, served, title, kind, rnd)
                rows.append(until_quiet(run, _MOST_WAITED_PERCENT, measuring))
            return rows


def _measure_kind(run: Run, served: _Served, title: str, kind: str, rnd: random.Random) -> Row:
    """Asks the API and the constant body by turns, so that what else the machine does is the same for both."""
    run.say(f"series-http: {kind}")
    for _ in range(_WARMING):
        bounds, path = _draw(rnd, kind)
        body = served.client.get(PROJECT, path)[0]
        points = _check(served.recount, bounds, body)
    seconds: list[float] = []
    constant_seconds: list[float] = []
    questions = run.count(_QUESTIONS, 5)
    with running_constant(run.folder, json.loads(body)) as (constant, port), ApiClient(port) as constant_client:
        constant_client.get(PROJECT, path)
        watch, redis_cpu = Watch(), served.redis.cpu_seconds()
        used, constant_used = usage(served.api), usage(constant)
        for _ in range(questions):
            path = _draw(rnd, kind)[1]
            seconds.append(served.client.get(PROJECT, path)[1])
            constant_seconds.append(constant_client.get(PROJECT, path)[1])
        used, constant_used = usage(served.api) - used, usage(constant) - constant_used
        waited, redis_cpu = watch.percent(), served.redis.cpu_seconds() - redis_cpu
    return {
        "measured": f"{title}: {kind}",
        "points": points,
        "body_bytes": len(body),
        "p50_ms": round(percentile(seconds, 50) * 1000, 2),
        "least_ms": round(min(seconds) * 1000, 2),
        "constant_p50_ms": round(percentile(constant_seconds, 50) * 1000, 2),
        "constant_least_ms": round(min(constant_seconds) * 1000, 2),
        WAITED: waited,
        "cpu_ms": round(used.cpu_seconds / questions * 1000, 2),
        "redis_cpu_ms": round(redis_cpu / questions * 1000, 2),
        "constant_cpu_ms": round(constant_used.cpu_seconds / questions * 1000, 2),
    }


def _draw(rnd: random.Random, kind: str) -> tuple[tuple[int, int], str]:
    """A range of this kind, and the path and query of the question."""
    span_ms, interval = _KINDS[kind]
    start_ms = FIRST_MS + rnd.randrange(SPAN_MS - span_ms)
    query = {"start": start_ms, "end": start_ms + span_ms, "interval": interval, "time_zone": ZONE}
    return (start_ms, start_ms + span_ms), f"/v2.0/{PROJECT}/gene/statistics/timeseries?{urlencode(query)}"


def _check(recount: PointRecount, bounds: Bounds, body: bytes) -> int:
    """Raises WrongAnswerError unless the points cover the range and count what they must; returns how many they are."""
    points: list[dict[str, Any]] = json.loads(body)["points"]
    borders_ms = [points[0]["start"], *[point["end"] for point in points]]
    if (borders_ms[0], borders_ms[-1]) != bounds or borders_ms[1:-1] != [point["start"] for point in points[1:]]:
        raise WrongAnswerError(f"the points do not cover the range {bounds}")
    names = [f"{status.name.lower()}_num" for status in JobStatus]
    sums = np.array([[*[point[name] for name in names], point["input_size"]] for point in points], np.int64)
    recount.check("the API", np.array(borders_ms), sums)
    return len(points)
