"""Fills a store with events, in the batches of a consumer that is behind, without a broker."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Self

from bench.jobs import Jobs
from bench.servers import RedisServer, running_redis
from consumers.policy import WorkerPolicy
from deploy.local.plan import TOPIC
from service.events.event import JobEvent
from service.store.redis.client import create_writer_client
from service.store.write.batch import fold
from service.store.write.writer import Step, StoreWriter, StripeBatch

SNAPSHOTS = "filled"
"""The folder, in that of a run, of snapshots that its parts start from; every run begins without them."""


@contextmanager
def filled_redis(folder: Path, jobs: Jobs) -> Iterator[RedisServer]:
    """A Redis that holds these jobs, started from a snapshot; the first part of a run that needs them writes it."""
    snapshot = folder / SNAPSHOTS / f"{jobs.digest()}.rdb"
    if not snapshot.exists():
        snapshot.parent.mkdir(exist_ok=True)
        with running_redis(folder) as redis:
            asyncio.run(load(redis.url, jobs.events()))
            redis.client.save()
            (Path(str(redis.client.config_get("dir")["dir"])) / "dump.rdb").rename(snapshot)
    with running_redis(folder, snapshot=snapshot) as redis:
        yield redis


async def load(redis_url: str, events: Iterable[JobEvent]) -> None:
    """Applies events to a store that has no others, as if they were the one partition of a topic."""
    size = WorkerPolicy(TOPIC).max_batch_records
    client = create_writer_client(redis_url, cluster=False)
    try:
        feeder = await Feeder.open(StoreWriter(client))
        rest = iter(events)
        while batch := list(islice(rest, size)):
            await feeder.apply(batch)
    finally:
        await client.aclose()


class Feeder:
    """Applies batches of events as if they were the next of the one partition of a topic."""

    def __init__(self, writer: StoreWriter, stored: dict[int, int]) -> None:
        self._writer = writer
        self._stored = stored
        self._end = max(stored.values())

    @classmethod
    async def open(cls, writer: StoreWriter) -> Self:
        """Goes on where the store is."""
        heads = await writer.read_heads()
        return cls(writer, {i: head.progress[0].next_offset if head.progress else 0 for i, head in enumerate(heads)})

    async def apply(self, events: list[JobEvent], watermark_ms: int = 0) -> None:
        """Applies one batch, after which everything that was published before the watermark is in the store."""
        self._end += len(events)
        stripes = fold(events)
        await self._writer.apply(
            1,
            [
                StripeBatch(stripe, [Step(0, self._stored[stripe], self._end, watermark_ms)], projects)
                for stripe, projects in stripes.items()
            ],
        )
        self._stored.update(dict.fromkeys(stripes, self._end))
