"""Resident memory of a consumer that applies a history, of the API that is asked all the while, and of full caches."""

import asyncio
import random
import time
from collections.abc import Sequence
from pathlib import Path

from bench.asking import ApiClient, path_of
from bench.jobs import PROJECT, make_jobs
from bench.loading import load
from bench.publishing import Published, publish
from bench.ranges import random_range
from bench.recount import Recount
from bench.run import Row, Run
from bench.servers import RedisServer, environment_for, running_api, running_broker, running_module, running_redis
from bench.streams import HISTORY, transitions
from deploy.local.process import Child, is_ready, wait_until
from deploy.local.servers import free_port
from service.store.layout.heads import parse_head
from service.store.layout.keys import STRIPES, head_key

_SAMPLE_SECONDS = 0.1
_LIMIT_SECONDS = 180.0
_KIB_PER_MIB = 1024
_JOIN_SECONDS = 60.0
_FLAT = 1.1
_FULL_JOBS, _FULL_USERS = 100_000, 1_000
_FULL_MIB = 16  # the least that the API takes: its caches are full after some hundred questions
_FULL_QUESTIONS = 500
_TIMES_AS_MANY = 10
_FULL_FLAT = 1.05

Sample = tuple[float, float]
"""MiB of the consumer and of the API."""


def measure(run: Run) -> list[Row]:
    """A row for each process and one for full caches: a quarter of the way, half, three quarters, end, and the most."""
    stream = list(transitions(run.sized(HISTORY)))
    recount = Recount(stream)
    port = free_port()
    with running_broker(run.folder, port), running_redis(run.folder) as redis:
        run.say(f"resident: publishing {len(stream):,} events")
        published = asyncio.run(publish(f"127.0.0.1:{port}", stream))
        environment = environment_for(port, redis.port)
        with (
            running_api(run.folder, environment) as api,
            running_module(run.folder, "consumers", environment) as consumer,
            ApiClient(int(environment["STATS_HTTP_PORT"])) as client,
        ):
            wait_until(consumer, lambda: is_ready(int(environment["STATS_METRICS_PORT"])), "get ready", _JOIN_SECONDS)
            samples = _sample(consumer, api, client, redis, published, recount)
        asyncio.run(recount.check_store(redis.url))
    rows = [_row(name, [each[at] for each in samples]) for at, name in enumerate(("consumer", "API"))]
    growth = float(rows[0]["end_mib"]) / float(rows[0]["half_mib"])
    run.keep("resident, consumer: end by half of the way", growth, _FLAT)  # the API fills its caches meanwhile
    return [*rows, _measure_full(run)]


def _measure_full(run: Run) -> Row:
    """A row for an API whose caches are small and full: from then on to ten times as many questions."""
    users, questions = run.count(_FULL_USERS, 100), run.count(_FULL_QUESTIONS, 200)
    jobs = make_jobs(run.count(_FULL_JOBS, 5_000), users)
    rnd = random.Random(1)
    with running_redis(run.folder) as redis:
        run.say(f"resident: asking for {questions * _TIMES_AS_MANY:,} ranges with small caches")
        asyncio.run(load(redis.url, jobs.events()))
        environment = {**environment_for(redis_port=redis.port), "STATS_CACHE_MIB": str(_FULL_MIB)}
        with (
            running_api(run.folder, environment) as api,
            ApiClient(int(environment["STATS_HTTP_PORT"])) as client,
        ):
            mib = []
            for _ in range(_TIMES_AS_MANY):
                for _ in range(questions):
                    client.get(PROJECT, path_of(PROJECT, random_range(rnd)))
                mib.append(_resident_mib(api))
            bounds = random_range(rnd)
            jobs.check_body(bounds, client.ask(PROJECT, bounds)[0], "the API")
    run.keep("resident, API with full caches: ten times as many questions", mib[-1] / mib[0], _FULL_FLAT)
    return _row(f"API, {_FULL_MIB} MiB of caches", mib)


def _sample(  # noqa: PLR0913, PLR0917 - all that a run consists of
    consumer: Child, api: Child, client: ApiClient, redis: RedisServer, published: Published, recount: Recount
) -> list[Sample]:
    rnd = random.Random(1)
    keys = [head_key(stripe) for stripe in range(STRIPES)]
    samples: list[Sample] = []
    deadline = time.monotonic() + _LIMIT_SECONDS
    is_applied = False
    while not is_applied:
        consumer.check()
        if time.monotonic() > deadline:
            raise consumer.failure(f"did not apply {published.total} events in {_LIMIT_SECONDS:.0f} s")
        is_applied = published.is_applied(list(map(parse_head, redis.strings(keys))))
        ends = time.monotonic() + _SAMPLE_SECONDS
        while time.monotonic() < ends:
            client.ask(rnd.choice(recount.projects), recount.random_bounds(rnd))
        samples.append((_resident_mib(consumer), _resident_mib(api)))
    return samples


def _resident_mib(child: Child) -> float:
    status = Path(f"/proc/{child.process.pid}/status").read_text()
    line = next(each for each in status.splitlines() if each.startswith("VmRSS:"))
    return int(line.split()[1]) / _KIB_PER_MIB


def _row(name: str, mib: Sequence[float]) -> Row:
    def at(share: float) -> float:
        return round(mib[round((len(mib) - 1) * share)], 1)

    return {
        "measured": name,
        "samples": len(mib),
        "quarter_mib": at(0.25),
        "half_mib": at(0.5),
        "three_quarters_mib": at(0.75),
        "end_mib": at(1),
        "most_mib": round(max(mib), 1),
    }
