"""How long the API takes to answer for ranges of every kind, and what Redis spends on it, with a single client."""

import asyncio
import random
from collections.abc import Callable

from bench.asking import ApiClient
from bench.loading import load
from bench.recount import Bounds, Recount
from bench.run import Row, Run, percentile
from bench.servers import RedisServer, environment_for, running_api, running_redis
from bench.streams import DAY_MS, FIRST_MS, HISTORY, transitions

_HOUR_MS = 3_600_000
_SPAN_MS = int(HISTORY.days * DAY_MS)
_CHECKED = 20


def measure(run: Run) -> list[Row]:
    """A row for each kind of range, over the history."""
    stream = list(transitions(run.sized(HISTORY)))
    recount = Recount(stream)
    kinds: dict[str, Callable[[random.Random], Bounds]] = {
        "1 hour": lambda rnd: _window(rnd, _HOUR_MS),
        "30 days": lambda rnd: _window(rnd, 30 * DAY_MS),
        "2 years": lambda rnd: (FIRST_MS + rnd.randrange(DAY_MS), FIRST_MS + _SPAN_MS - rnd.randrange(DAY_MS)),
        "all time": lambda _: (None, None),
        "random bounds": recount.random_bounds,
    }
    with running_redis(run.folder) as redis:
        run.say(f"queries: applying {len(stream):,} events")
        asyncio.run(load(redis.url, stream))
        environment = environment_for(redis_port=redis.port)
        with running_api(run.folder, environment), ApiClient(int(environment["STATS_HTTP_PORT"])) as client:
            for project_id in recount.projects:  # the API learns each project's shape once
                client.ask(project_id)
            return [_measure_kind(run, kind, choose, client, redis, recount) for kind, choose in kinds.items()]


def _measure_kind(  # noqa: PLR0913, PLR0917 - all that a question needs
    run: Run,
    kind: str,
    choose: Callable[[random.Random], Bounds],
    client: ApiClient,
    redis: RedisServer,
    recount: Recount,
) -> Row:
    run.say(f"queries: {kind}")
    rnd = random.Random(kind)
    questions = [(rnd.choice(recount.projects), choose(rnd)) for _ in range(run.count(1_000, 50))]
    redis_cpu_seconds = redis.cpu_seconds()
    answers = [client.ask(*question) for question in questions]
    redis_cpu_seconds = redis.cpu_seconds() - redis_cpu_seconds
    for question, (body, _) in list(zip(questions, answers, strict=True))[:_CHECKED]:
        recount.check(*question, body)
    latencies_ms = [seconds * 1000 for _, seconds in answers]
    return {
        "measured": kind,
        "requests": len(questions),
        "p50_ms": round(percentile(latencies_ms, 50), 2),
        "p99_ms": round(percentile(latencies_ms, 99), 2),
        "redis_cpu_us_per_query": round(redis_cpu_seconds / len(questions) * 1e6, 1),
    }


def _window(rnd: random.Random, width_ms: int) -> Bounds:
    start_ms = FIRST_MS + rnd.randrange(_SPAN_MS - width_ms)
    return start_ms, start_ms + width_ms
