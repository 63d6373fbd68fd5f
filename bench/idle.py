"""What it costs to do nothing: a consumer of a topic without events, and a Redis with an append-only file."""

import asyncio
import random
import time
from dataclasses import dataclass

from bench.run import Row, Run, percentile
from bench.servers import RedisServer, Usage, environment_for, running_kafka, running_module, running_redis, usage
from bench.waiting import WAITED, Watch, until_quiet
from deploy.local.plan import TOPIC
from deploy.local.process import Child, is_ready, wait_until
from deploy.local.servers import create_topics
from service.store.layout.heads import as_of_ms
from service.store.layout.keys import STRIPES, claims_key, head_key

_PARTITIONS = (4, 128, 512)
_JOIN_SECONDS = 120.0
_SETTLING_SECONDS = 5
_SECONDS = 10  # of each measurement, first of costs, then of ages
_ASK_SECONDS = 0.01
_MOST_WAITED_PERCENT = 10.0
_GOAL_KIB, _GOAL_COMMANDS, _GOAL_AGE_MS = 20.0, 200.0, 1_000.0


@dataclass(frozen=True, slots=True)
class _Reading:
    """What has been used so far."""

    at_seconds: float
    log_bytes: int
    commands: int
    consumer: Usage
    redis: Usage


def measure(run: Run) -> list[Row]:
    """One row for each number of partitions."""
    with running_kafka(run.folder, run.say) as port:
        rows = [_measure(run, port, partitions) for partitions in _PARTITIONS]
    most = rows[-1]
    run.keep(f"idle, {most['measured']}: KiB of log a second", float(most["log_kib_per_second"]), _GOAL_KIB)
    run.keep(f"idle, {most['measured']}: commands a second", float(most["commands_per_second"]), _GOAL_COMMANDS)
    run.keep(f"idle, {most['measured']}: as-of at most, ms", float(most["as_of_age_max_ms"]), _GOAL_AGE_MS, of=[most])
    return rows


def _measure(run: Run, port: int, partitions: int) -> Row:
    topic = f"{TOPIC}-{partitions}"
    asyncio.run(create_topics(f"127.0.0.1:{port}", {topic: partitions}))
    with running_redis(run.folder, ["--appendonly", "yes"]) as redis:
        environment = {
            **environment_for(port, redis.port),
            "STATS_KAFKA_TOPIC": topic,
            "STATS_KAFKA_GROUP_ID": topic,
        }
        with running_module(run.folder, "consumers", environment) as consumer:
            metrics_port = int(environment["STATS_METRICS_PORT"])
            wait_until(consumer, lambda: is_ready(metrics_port), "get ready", _JOIN_SECONDS)
            run.say(f"idle: {partitions} partitions")
            time.sleep(run.count(_SETTLING_SECONDS, 2))
            row = until_quiet(run, _MOST_WAITED_PERCENT, lambda: _measure_for_seconds(run, partitions, redis, consumer))
            consumer.check()
    return row


def _measure_for_seconds(run: Run, partitions: int, redis: RedisServer, consumer: Child) -> Row:
    seconds = run.count(_SECONDS, 2)
    watch, before = Watch(), _read(redis, consumer)
    time.sleep(seconds)
    after = _read(redis, consumer)
    ages_ms = _ages_ms(redis, seconds)
    return _row(partitions, before, after, ages_ms, watch.percent())


def _read(redis: RedisServer, consumer: Child) -> _Reading:
    return _Reading(
        time.monotonic(),
        int(redis.client.info("persistence")["aof_current_size"]),
        int(redis.client.info("stats")["total_commands_processed"]),
        usage(consumer),
        usage(redis.child),
    )


def _ages_ms(redis: RedisServer, seconds: float) -> list[float]:
    """How old the answers are that the API would give, each about a project of a random stripe."""
    rnd = random.Random(1)
    ages_ms = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        stripe = rnd.randrange(STRIPES)
        head, claims = redis.strings([head_key(stripe), claims_key(stripe)])
        ages_ms.append(time.time() * 1000 - as_of_ms(head, claims))
        time.sleep(_ASK_SECONDS)
    return ages_ms


def _row(partitions: int, before: _Reading, after: _Reading, ages_ms: list[float], waited: float) -> Row:
    seconds = after.at_seconds - before.at_seconds
    own_commands = 3  # INFO: two of the last reading before, one of this one
    return {
        "measured": f"{partitions} partitions",
        "log_kib_per_second": round((after.log_bytes - before.log_bytes) / 1024 / seconds, 2),
        "commands_per_second": round((after.commands - before.commands - own_commands) / seconds, 1),
        "as_of_age_p50_ms": round(percentile(ages_ms, 50)),
        "as_of_age_max_ms": round(max(ages_ms)),
        WAITED: waited,
        "consumer_cpu_ms_per_second": round((after.consumer - before.consumer).cpu_seconds / seconds * 1000, 1),
        "redis_cpu_ms_per_second": round((after.redis - before.redis).cpu_seconds / seconds * 1000, 1),
    }
