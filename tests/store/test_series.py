"""Each point of a series is what a recount of the events says, and all are of one instant."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from service.events.event import MAX_MS, JobStatus
from service.store.read import series as reading
from service.store.read.client import create_reader_client
from service.store.read.reader import RedisStatisticsStore
from tests.oracle import Oracle
from tests.store.histories import History, heavy_histories, histories
from tests.store.series import SeriesQuery, make_series_queries, points_of, read_points
from tests.store.support import Client, Event, Store, event
from tests.store.test_concurrent_reads import BATCHES, growing_project, write_between_reads

Flush = Callable[[], Awaitable[object]]


@settings(max_examples=80)
@given(histories() | heavy_histories(), st.integers(0, 2**32), st.sampled_from((1, 10, 1_000)))
async def test_points_equal_a_recount(
    client: Client, flush: Flush, history: History, seed: int, piece_keys: int
) -> None:
    """After each batch, also where a series is read in many pieces; the sum of the points is that of the range."""
    await flush()
    store, rnd, applied = Store(client), Random(seed), list[Event]()
    for batch in history.batches:
        await store.apply(batch)
        applied += batch
        oracle = Oracle(applied)
        with patch.object(reading, "_PIECE_KEYS", piece_keys):
            for query in make_series_queries(rnd, history.events, 4):
                points = await read_points(store.reader, query)
                assert (query, points) == (query, oracle.series(*query))
                await assert_is_whole(store, query, points)


async def assert_is_whole(store: Store, query: SeriesQuery, points: list[dict[str, int]]) -> None:
    """The points of a series add up to the statistics of the range."""
    project_id, borders_ms, user_id, user_name = query
    if user_name is None:
        whole = await store.body(project_id, borders_ms[0], borders_ms[-1], user_id)
        sums = {f"total_{name}": sum(point[name] for point in points) for name in points[0]}
        assert sums.items() <= whole.items()


@pytest.mark.parametrize("key_prefix", ["other:"])
async def test_series_during_splits_are_of_one_instant(
    store: Store, redis_url: str, key_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watermark beside the points tells how many batches are in them: exactly those are."""
    monkeypatch.setattr(reading, "_PIECE_KEYS", 25)
    rnd = Random(5)
    batches = growing_project(rnd)
    events = [each for batch in batches for each in batch]
    queries = [
        ("project", borders, user_id, "name" if user_name else None)
        for _, borders, user_id, user_name in make_series_queries(rnd, events, 40)
    ]
    oracles = [Oracle([each for batch in batches[:count] for each in batch]) for count in range(BATCHES + 1)]
    client = create_reader_client(redis_url, cluster=False, key_prefix=key_prefix)
    assert isinstance(client, Redis)
    reader, seen, progress, done = RedisStatisticsStore(client), set[int](), asyncio.Event(), asyncio.Event()

    async def read() -> None:
        while not done.is_set():
            for query in queries:
                series = await reader.series(*query)
                assert points_of(series) == oracles[series.as_of_ms].series(*query)
                seen.add(series.as_of_ms)
                progress.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(read())
        group.create_task(write_between_reads(store, batches, progress, done))
    await client.aclose(close_connection_pool=True)
    assert len(seen) > BATCHES // 2


async def test_bytes_are_exact_beyond_a_machine_word(store: Store) -> None:
    """2,000 jobs of 2^53-1 bytes each in an interval are more than 2^63."""
    await store.apply([event(job, input_size_bytes=MAX_MS, start_time_ms=job) for job in range(3_000)])
    series = await store.reader.series("project", [0, 2_000, 3_000], None, None)
    assert series.size_bytes == [2_000 * MAX_MS, 1_000 * MAX_MS]
    assert series.jobs[JobStatus.RUNNING] == [2_000, 1_000]
