"""Bytes of Redis that a job takes, all included, and what kind of key takes them."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import cast

from redis import Redis

from bench.jobs import make_jobs
from bench.loading import load
from bench.recount import to_event
from bench.run import Row, Run
from bench.servers import RedisServer, running_redis
from bench.streams import DAY, HISTORY, StreamSpec, transitions
from service.events.event import JobEvent

MANY_USERS = StreamSpec("one project, 5,000 users", 200_000, 730, projects=1, users=5_000)
_USERS = 20
_SIZES = (100_000, 1_000_000)
_TEN_MILLION = 10_000_000
# the part of a key after the project's prefix; "n:36:12" is a node, "j:7" a hash of job records
_KINDS = {"j": "records", "n": "nodes", "u": "users", "t": "users"}
_KEYS_PER_CALL = 1_000
_GOALS_BYTES = {HISTORY.name: 90, DAY.name: 120, MANY_USERS.name: 160}
_GOAL_BYTES = 100


def measure(run: Run) -> list[Row]:
    """The streams, a project of many users, and one project of 20 users in several sizes, a row each."""
    rows = []
    for spec in (HISTORY, DAY, MANY_USERS):
        sized = run.sized(spec)
        rows.append(_measure(run, spec.name, sized.jobs, map(to_event, transitions(sized))))
    return rows + [_measure_size(run, size) for size in _SIZES]


def measure_ten_million(run: Run) -> list[Row]:
    """One row: ten million jobs of one project, which take many minutes and gigabytes."""
    return [_measure_size(run, _TEN_MILLION)]


def _measure_size(run: Run, full_size: int) -> Row:
    size = run.count(full_size, 1_000)
    return _measure(run, f"{size:,} jobs of one project", size, make_jobs(size, _USERS).events())


def _measure(run: Run, name: str, jobs: int, events: Iterable[JobEvent]) -> Row:
    run.say(f"memory {name}: applying events of {jobs:,} jobs")
    with running_redis(run.folder) as redis:
        row: Row = {"measured": name, "jobs": jobs, **_bytes_per_job(redis, jobs, events)}
    run.keep(f"memory, {name}: bytes a job", float(row["bytes_per_job"]), _GOALS_BYTES.get(name, _GOAL_BYTES))
    return row


def _bytes_per_job(redis: RedisServer, jobs: int, events: Iterable[JobEvent]) -> dict[str, float]:
    empty_bytes = redis.used_bytes()
    asyncio.run(load(redis.url, events))
    all_bytes = redis.used_bytes() - empty_bytes
    kinds = _bytes_by_kind(redis.client)
    figures = {"bytes_per_job": all_bytes / jobs}
    for kind in ("records", "nodes", "users"):
        figures[f"{kind}_bytes_per_job"] = kinds[kind] / jobs
    figures["rest_bytes_per_job"] = (all_bytes - sum(kinds[kind] for kind in ("records", "nodes", "users"))) / jobs
    return {name: round(value, 1) for name, value in figures.items()}


def _bytes_by_kind(client: Redis) -> Counter[str]:
    """Sums over all keys of what MEMORY USAGE says; the rest is heads, metas, shapes and the tables of keys."""
    kinds: Counter[str] = Counter()
    cursor = 0
    while True:
        cursor, keys = client.scan(cursor, count=_KEYS_PER_CALL)
        with client.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.memory_usage(key, samples=0)
            sizes = pipeline.execute()
        for key, size_bytes in zip(keys, sizes, strict=True):
            parts = cast(bytes, key).decode().split(":")
            kinds[_KINDS.get(parts[2], "rest") if len(parts) > 2 else "rest"] += size_bytes
        if cursor == 0:
            return kinds
