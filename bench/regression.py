"""`python -m bench.regression`: fails when ingest, queries, series or memory fall to half of what is recorded.

It compares ratios within one run, at small sizes and with wide limits: to catch what went badly wrong, on any machine.
With `--record` it writes what it measures to bench/recorded.json instead.
"""

import asyncio
import http.client
import json
import random
import sys
import time
from pathlib import Path
from statistics import median

from bench import ingest
from bench.asking import ApiClient
from bench.databases.ours import reading
from bench.jobs import PROJECT, make_jobs
from bench.loading import load
from bench.points import SERIES
from bench.ranges import random_range
from bench.run import Run
from bench.servers import RedisServer, environment_for, running_api, running_redis
from deploy.local.process import ChildFailedError

_RECORDED = Path(__file__).with_name("recorded.json")
_SCALE = 0.15
_JOBS = 30_000
_QUESTIONS = 300
_SERIES = "2 years, 730 days of the calendar"
_SERIES_ROUNDS, _QUESTIONS_A_ROUND, _SERIES_A_ROUND = 15, 40, 4


def measure(run: Run) -> dict[str, float]:
    """Four figures, all the better the larger they are."""
    [history, _] = ingest.measure(run)
    return {"ingest_by_floor": float(history["ratio"]), **_store(run)}


def _store(run: Run) -> dict[str, float]:
    """The time of a health check by that of a question over HTTP, medians; jobs in a KiB of Redis; and the series."""
    with running_redis(run.folder) as redis:
        empty_bytes = redis.used_bytes()
        asyncio.run(load(redis.url, make_jobs(_JOBS, 20).events()))
        jobs_per_kib = _JOBS * 1024 / (redis.used_bytes() - empty_bytes)
        environment = environment_for(redis_port=redis.port)
        port = int(environment["STATS_HTTP_PORT"])
        rnd = random.Random(1)
        with running_api(run.folder, environment), ApiClient(port) as client:
            asked = [client.ask(PROJECT, random_range(rnd))[1] for _ in range(_QUESTIONS)]
            queries = median(_health_seconds(port)) / median(asked)
        series = _question_by_series_cpu(redis)
    return {"health_by_query_seconds": queries, "question_by_series_cpu": series, "jobs_per_kib": jobs_per_kib}


def _question_by_series_cpu(redis: RedisServer) -> float:
    """The CPU time of a question by that of a series, of client and Redis together; the median of the rounds."""

    def cpu_seconds() -> float:
        return time.process_time() + redis.cpu_seconds()

    rnd, ratios = random.Random(1), []
    with asyncio.Runner() as runner, reading(runner, redis.url) as store:
        for _ in range(_SERIES_ROUNDS):
            began = cpu_seconds()
            for _ in range(_QUESTIONS_A_ROUND):
                runner.run(store.read(PROJECT, *random_range(rnd), None))
            questions_seconds, began = cpu_seconds() - began, cpu_seconds()
            for _ in range(_SERIES_A_ROUND):
                runner.run(store.series(PROJECT, SERIES[_SERIES](rnd).borders_ms.tolist(), None, None))
            series_seconds = cpu_seconds() - began
            ratios.append(questions_seconds / _QUESTIONS_A_ROUND / (series_seconds / _SERIES_A_ROUND))
    return median(ratios)


def _health_seconds(port: int) -> list[float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    seconds = []
    for _ in range(_QUESTIONS):
        started = time.perf_counter()
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        seconds.append(time.perf_counter() - started)
    connection.close()
    return seconds


def main() -> int:
    """Measures, and compares or records; returns the exit status."""
    folder = Path.cwd() / ".local" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        figures = measure(Run(folder, _SCALE, 1, print))
    except ChildFailedError as error:
        print(error, file=sys.stderr)
        return 1
    if "--record" in sys.argv[1:]:
        _RECORDED.write_text(json.dumps({name: round(value, 3) for name, value in figures.items()}, indent=2) + "\n")
        return 0
    recorded: dict[str, float] = json.loads(_RECORDED.read_text())
    fallen = 0
    for name, value in figures.items():
        has_fallen = value < recorded[name] / 2
        fallen += has_fallen
        print(
            f"{name}: {value:.3f}, recorded {recorded[name]:.3f}{' - FALLEN TO LESS THAN HALF' if has_fallen else ''}"
        )
    return 1 if fallen else 0


if __name__ == "__main__":
    sys.exit(main())
