"""How many events a second one consumer takes from a topic that is there already, measured in a few seconds."""

import asyncio
import time
from collections.abc import Sequence

from bench.publishing import Published, publish
from bench.run import Run
from bench.servers import RedisServer, environment_for, running_broker, running_module, running_redis
from bench.streams import HISTORY, StreamSpec, transitions
from deploy.local.process import Child
from deploy.local.servers import free_port
from service.store.layout.heads import Head, parse_head
from service.store.layout.keys import STRIPES, head_key

_JOBS = 100_000
_POLL_SECONDS = 0.005
_LIMIT_SECONDS = 120.0


def measure_capacity(run: Run) -> float:
    """Events a second, from the first batch that has been applied to the last."""
    stream = list(transitions(StreamSpec("capacity", run.count(_JOBS, 20_000), HISTORY.days)))
    port = free_port()
    with running_broker(run.folder, port), running_redis(run.folder) as redis:
        run.say(f"capacity: publishing {len(stream):,} events")
        published = asyncio.run(publish(f"127.0.0.1:{port}", stream))
        with running_module(run.folder, "consumers", environment_for(port, redis.port)) as consumer:
            return _rate(consumer, redis, published)


def _rate(consumer: Child, redis: RedisServer, published: Published) -> float:
    deadline = time.monotonic() + _LIMIT_SECONDS
    keys = [head_key(stripe) for stripe in range(STRIPES)]
    first: tuple[float, int] | None = None
    while True:
        heads = list(map(parse_head, redis.strings(keys)))
        now = time.monotonic()
        applied = _applied(heads)
        if first is None and applied > 0:
            first = now, applied
        if first is not None and published.is_applied(heads):
            return (published.total - first[1]) / (now - first[0])
        consumer.check()
        if now > deadline:
            raise consumer.failure(f"did not apply {published.total} events in {_LIMIT_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)


def _applied(heads: Sequence[Head]) -> int:
    """Events that at least one stripe is beyond, over all partitions."""
    partitions = max(len(head.progress) for head in heads)
    return sum(
        max(head.progress[number].next_offset for head in heads if len(head.progress) > number)
        for number in range(partitions)
    )
