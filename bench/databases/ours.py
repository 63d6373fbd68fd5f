"""This project: Redis, filled by the store's writer; questions over HTTP, series from the store in this process."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bench.asking import ApiClient
from bench.databases.asking import Database
from bench.jobs import PROJECT, Counts, Jobs, from_body
from bench.loading import filled_redis
from bench.points import Points, PointSums
from bench.recount import Bounds
from bench.servers import environment_for, running_api
from service.store.contract import Series, StatisticsStore
from service.store.read.client import create_reader_store


@contextmanager
def serving(folder: Path, jobs: Jobs) -> Iterator[Database]:
    """The service, holding these jobs."""
    with filled_redis(folder, jobs) as redis, asyncio.Runner() as runner:
        environment = environment_for(redis_port=redis.port)
        with (
            running_api(folder, environment),
            ApiClient(int(environment["STATS_HTTP_PORT"])) as client,
            reading(runner, redis.url) as store,
        ):

            def ask(bounds: Bounds) -> Callable[[], Counts]:
                body: Any = client.ask(PROJECT, bounds)[0]
                return lambda: from_body(body)

            def ask_series(points: Points) -> Callable[[], PointSums]:
                series = runner.run(store.series(PROJECT, points.borders_ms.tolist(), None, None))
                return lambda: _sums(series)

            yield Database(ask, ask_series, redis.cpu_seconds)


@contextmanager
def reading(runner: asyncio.Runner, redis_url: str) -> Iterator[StatisticsStore]:
    """The store as the API reads it, for use in this loop."""
    stack = AsyncExitStack()
    try:
        yield runner.run(stack.enter_async_context(create_reader_store(redis_url, cluster=False)))
    finally:
        runner.run(stack.aclose())


def _sums(series: Series) -> PointSums:
    return np.array([*series.jobs.values(), series.size_bytes], np.int64).T
