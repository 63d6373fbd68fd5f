"""`python -m bench.regression`: fails when ingest, questions, series or memory fall behind what is recorded.

It compares ratios of CPU time within one run, so that neither the machine's speed nor what else it does decides. With
`--record` it writes what it measures to bench/recorded.json instead.
"""

import asyncio
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench import ingest
from bench.asking import ApiClient
from bench.constant import running_constant
from bench.databases.ours import reading
from bench.jobs import PROJECT, Jobs, make_jobs, to_body
from bench.loading import load
from bench.points import SERIES
from bench.ranges import random_range
from bench.run import Run
from bench.servers import RedisServer, environment_for, running_api, running_redis, usage
from deploy.local.process import ChildFailedError

_RECORDED = Path(__file__).with_name("recorded.json")
_SCALE = 0.1
_PAIRS = 3  # of floor and consumer
_JOBS = 30_000
_SERIES = "2 years, 730 days of the calendar"
_ROUNDS, _QUESTIONS_A_ROUND, _SERIES_A_ROUND = 15, 40, 4
_LEAST_SHARES = {
    "floor_by_consumer_cpu": 0.75,
    "floor_by_redis_cpu": 0.75,
    "constant_by_question_cpu": 0.65,
    "question_by_series_cpu": 0.75,
    "jobs_per_kib": 0.95,
}
"""What must be left of what is recorded. Runs of the same code beside much other work come down to 0.88.

The ratio of a constant body and a question, which needs more of the caches, comes down to 0.74.
"""


def measure(run: Run) -> dict[str, float]:
    """Five figures, all the better the larger they are."""
    streams = ingest.measure(run)
    floor, consumer, redis = (
        sum(float(row[f"{process}_cpu_us_per_event"]) for row in streams) for process in ("floor", "consumer", "redis")
    )
    return {"floor_by_consumer_cpu": floor / consumer, "floor_by_redis_cpu": floor / redis, **_store(run)}


def _store(run: Run) -> dict[str, float]:
    """Of a filled Redis: ratios of the CPU time of a question, and the jobs in a KiB."""
    jobs = make_jobs(_JOBS, 20)
    with running_redis(run.folder) as redis:
        empty_bytes = redis.used_bytes()
        asyncio.run(load(redis.url, jobs.events()))
        jobs_per_kib = _JOBS * 1024 / (redis.used_bytes() - empty_bytes)
        question = _constant_by_question_cpu(run, redis, jobs)
        series = _question_by_series_cpu(redis)
    return {
        "constant_by_question_cpu": question,
        "question_by_series_cpu": series,
        "jobs_per_kib": jobs_per_kib,
    }


def _constant_by_question_cpu(run: Run, redis: RedisServer, jobs: Jobs) -> float:
    """The CPU time of a constant body by that of a question with random bounds, of the API and Redis."""
    environment = environment_for(redis_port=redis.port)
    rnd = random.Random(1)
    with (
        running_api(run.folder, environment) as api,
        ApiClient(int(environment["STATS_HTTP_PORT"])) as client,
        running_constant(run.folder, to_body(jobs.count((None, None)))) as (constant, port),
        ApiClient(port) as constant_client,
    ):

        def ask(asked: ApiClient) -> None:
            for _ in range(_QUESTIONS_A_ROUND):
                asked.ask(PROJECT, random_range(rnd))

        return _middle_ratio(
            (lambda: ask(constant_client), lambda: usage(constant).cpu_seconds),
            (lambda: ask(client), lambda: usage(api, redis.child).cpu_seconds),
        )


def _question_by_series_cpu(redis: RedisServer) -> float:
    """The CPU time of a question by that of a series, of client and Redis together."""
    rnd = random.Random(1)
    with asyncio.Runner() as runner, reading(runner, redis.url) as store:

        def ask() -> None:
            for _ in range(_QUESTIONS_A_ROUND):
                runner.run(store.read(PROJECT, *random_range(rnd), None))

        def ask_series() -> None:
            for _ in range(_SERIES_A_ROUND):
                runner.run(store.series(PROJECT, SERIES[_SERIES](rnd).borders_ms.tolist(), None, None))

        def cpu_seconds() -> float:
            return usage(redis.child, itself=True).cpu_seconds

        return _middle_ratio((ask, cpu_seconds), (ask_series, cpu_seconds)) * _SERIES_A_ROUND / _QUESTIONS_A_ROUND


_Work = tuple[Callable[[], None], Callable[[], float]]
"""What is done in a round, and the CPU time so far of those that do it."""


def _middle_ratio(one: _Work, other: _Work) -> float:
    """The CPU time of one by that of the other, which take turns: the median of the rounds, the first left out."""

    def spent(work: _Work) -> float:
        do, cpu_seconds = work
        began = cpu_seconds()
        do()
        return cpu_seconds() - began

    return median([spent(one) / spent(other) for _ in range(_ROUNDS + 1)][1:])


def main() -> int:
    """Measures, and compares or records; returns the exit status."""
    folder = Path.cwd() / ".local" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        figures = measure(Run(folder, _SCALE, _PAIRS, print, tries=1))
    except ChildFailedError as error:
        print(error, file=sys.stderr)
        return 1
    if "--record" in sys.argv[1:]:
        _RECORDED.write_text(json.dumps({name: round(value, 3) for name, value in figures.items()}, indent=2) + "\n")
        return 0
    recorded: dict[str, float] = json.loads(_RECORDED.read_text())
    fallen = 0
    for name, value in figures.items():
        least = recorded[name] * _LEAST_SHARES[name]
        fallen += value < least
        says = f"{name}: {value:.3f}, recorded {recorded[name]:.3f}, at least {least:.3f}"
        print(f"{says}{' - FALLEN' if value < least else ''}")
    return 1 if fallen else 0


if __name__ == "__main__":
    sys.exit(main())
