"""What API processes that share a port spend on a request, and what they would answer with a core for each."""

import random
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from statistics import median

from bench import wrk
from bench.asking import ApiClient, administrator_token, path_of
from bench.jobs import PROJECT, Jobs, make_jobs
from bench.loading import filled_redis
from bench.ranges import random_range
from bench.run import Row, Run
from bench.servers import RedisServer, cpu_seconds, environment_for, running_api
from deploy.local.process import Child
from deploy.local.servers import free_port

_PROCESSES = (1, 2, 4)
_URLS = 20_000


def measure(run: Run) -> list[Row]:
    """Random ranges of 20 users; a row for each number of processes."""
    jobs = make_jobs(run.count(300_000, 2_000), 20)
    with filled_redis(run.folder, jobs) as redis:
        passes = [[_load(run, redis, jobs, processes) for processes in _PROCESSES] for _ in range(run.repeats)]
    return [_middle(same) for same in zip(*passes, strict=True)]


def _load(run: Run, redis: RedisServer, jobs: Jobs, processes: int) -> Row:
    run.say(f"sharing: {processes} processes")
    port, rnd = free_port(), random.Random(1)
    with ExitStack() as stack:
        children = [stack.enter_context(_running(run, redis, port, number)) for number in range(processes)]
        with ApiClient(port) as client:
            jobs.check_body((None, None), client.ask(PROJECT, (None, None))[0], "the API")
        paths, token = [path_of(PROJECT, random_range(rnd)) for _ in range(_URLS)], administrator_token(PROJECT)
        wrk.ask(run.folder, port, paths[::-1], token, 1)
        before, redis_cpu = list(map(cpu_seconds, children)), redis.cpu_seconds()
        load = wrk.ask(run.folder, port, paths, token, run.count(5, 1))
        spent = [cpu_seconds(child) - then for child, then in zip(children, before, strict=True)]
        return {
            "measured": f"processes {processes}",
            "requests_per_second_here": round(load.requests / load.seconds),
            "api_cpu_us_per_request": round(sum(spent) / load.requests * 1e6, 1),
            "busiest_process_cpu_us_per_request": round(max(spent) / load.requests * 1e6, 1),
            "redis_cpu_us_per_request": round((redis.cpu_seconds() - redis_cpu) / load.requests * 1e6, 1),
            "requests_per_second_with_a_core_each": round(load.requests / max(spent)),
        }


def _running(run: Run, redis: RedisServer, port: int, number: int) -> AbstractContextManager[Child]:
    environment = environment_for(redis_port=redis.port)
    environment |= {"STATS_HTTP_PORT": str(port), "STATS_HTTP_REUSE_PORT": "true"}
    environment["STATS_HTTP_OWN_PORT"] = str(free_port())
    folder = run.folder / f"api-{number}"  # for its log
    folder.mkdir(exist_ok=True)
    return running_api(folder, environment)


def _middle(rows: Sequence[Row]) -> Row:
    numbers = {name: round(median([float(row[name]) for row in rows]), 1) for name in rows[0] if name != "measured"}
    return {"measured": rows[0]["measured"], **numbers}
