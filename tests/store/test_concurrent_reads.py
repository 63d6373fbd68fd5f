"""Each read is one atomic view: while batches split leaves, every answer is that of some prefix of the batches."""

import asyncio
import json
from random import Random

import pytest
from redis.asyncio import Redis

from service.store.read.client import create_reader_client
from service.store.read.reader import RedisStatisticsStore
from tests.oracle import Oracle
from tests.store.histories import make_queries
from tests.store.support import NOON_MS, Event, Query, Store, event

BATCHES = 60
READERS = 4


def growing_project(rnd: Random) -> list[list[Event]]:
    """Batches that make a project denser and denser, so that its leaves split all the time, and move jobs about."""
    return [[moved(rnd.randrange(4_000), number, place(rnd)) for _ in range(100)] for number in range(BATCHES)]


async def write_between_reads(
    store: Store, batches: list[list[Event]], progress: asyncio.Event, done: asyncio.Event
) -> None:
    """Applies the batches, at least one read between any two: each read sets `progress`, until `done` is set."""
    for number, batch in enumerate(batches, start=1):
        await store.apply(batch, watermark_ms=number)
        progress.clear()
        await progress.wait()
    done.set()


def moved(job: int, sequence: int, start_time_ms: int) -> Event:
    """A job that starts elsewhere now."""
    job_id, user_id = f"job-{job}", f"user{job % 11}"
    return event(job_id, user_id=user_id, sequence=sequence, start_time_ms=start_time_ms, input_size_bytes=job)


def place(rnd: Random) -> int:
    """A start time within a second, a day, or two years."""
    return NOON_MS + rnd.randrange(rnd.choice((1_000, 86_400_000, 2 * 365 * 86_400_000)))


@pytest.mark.parametrize("key_prefix", ["other:"])
async def test_reads_during_splits_see_whole_batches(store: Store, redis_url: str, key_prefix: str) -> None:
    """The watermark beside the numbers tells how many batches are in them: exactly those are."""
    rnd = Random(3)
    batches = growing_project(rnd)
    queries = make_queries(rnd, [each for batch in batches for each in batch], 300)
    oracles = [Oracle([each for batch in batches[:count] for each in batch]) for count in range(BATCHES + 1)]
    client = create_reader_client(redis_url, cluster=False, key_prefix=key_prefix)
    assert isinstance(client, Redis)
    reader = RedisStatisticsStore(client)
    progress = asyncio.Event()
    done = asyncio.Event()

    async def read(queries: list[Query]) -> set[int]:
        """Asks again and again until all batches are applied; returns which prefixes were seen."""
        seen = set()
        while not done.is_set():
            for query in queries:
                answer = await reader.read(*query)
                body = json.loads(answer.body)
                assert (query, body) == (query, oracles[answer.as_of_ms].answer(*query))
                seen.add(answer.as_of_ms)
                progress.set()
        return seen

    async with asyncio.TaskGroup() as group:
        readers = [group.create_task(read(queries[number::READERS])) for number in range(READERS)]
        group.create_task(write_between_reads(store, batches, progress, done))
    await client.aclose(close_connection_pool=True)
    assert len(set.union(*[each.result() for each in readers])) > BATCHES // 2
