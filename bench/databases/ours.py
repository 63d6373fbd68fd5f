"""This project: Redis, filled by the store's writer, and the API over HTTP."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.asking import ApiClient
from bench.databases.asking import Ask
from bench.jobs import PROJECT, Counts, Jobs, from_body
from bench.loading import load
from bench.recount import Bounds
from bench.servers import environment_for, running_api, running_redis


@contextmanager
def serving(folder: Path, jobs: Jobs) -> Iterator[Ask]:
    """The service, holding these jobs."""
    with running_redis(folder) as redis:
        asyncio.run(load(redis.url, jobs.events()))
        environment = environment_for(redis_port=redis.port)
        with running_api(folder, environment), ApiClient(int(environment["STATS_HTTP_PORT"])) as client:

            def ask(bounds: Bounds) -> Callable[[], Counts]:
                body: Any = client.ask(PROJECT, bounds)[0]
                return lambda: from_body(body)

            yield ask
