"""Bytes of Redis that a job takes, all included, and what kind of key takes them."""

import asyncio
from collections import Counter
from typing import cast

from redis import Redis

from bench.loading import load
from bench.run import Row, Run
from bench.servers import running_redis
from bench.streams import DAY, HISTORY, StreamSpec, transitions

MANY_USERS = StreamSpec("one project, 5,000 users", 200_000, 730, projects=1, users=5_000)
# the part of a key after the project's prefix; "n:36:12" is a node, "j:7" a hash of job records
_KINDS = {"j": "records", "n": "nodes", "u": "users", "t": "users"}
_KEYS_PER_CALL = 1_000


def measure(run: Run) -> list[Row]:
    """The streams and a project of many users, a row each."""
    return [_measure_stream(run, run.sized(spec)) for spec in (HISTORY, DAY, MANY_USERS)]


def _measure_stream(run: Run, spec: StreamSpec) -> Row:
    run.say(f"memory {spec.name}: applying events of {spec.jobs:,} jobs")
    with running_redis(run.folder) as redis:
        empty_bytes = redis.used_bytes()
        asyncio.run(load(redis.url, list(transitions(spec))))
        all_bytes = redis.used_bytes() - empty_bytes
        kinds = _bytes_by_kind(redis.client)
    row: Row = {"measured": spec.name, "jobs": spec.jobs, "bytes_per_job": round(all_bytes / spec.jobs, 1)}
    for kind in ("records", "nodes", "users"):
        row[f"{kind}_bytes_per_job"] = round(kinds[kind] / spec.jobs, 1)
    counted = sum(kinds[kind] for kind in ("records", "nodes", "users"))
    row["rest_bytes_per_job"] = round((all_bytes - counted) / spec.jobs, 1)
    return row


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
