"""A consumer and a reader that find the primary by sentinels, while it is swapped and killed."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local.waiting import eventually
from service.store.errors import StoreUnavailableError
from service.store.read.client import create_reader_store
from service.store.read.watched import WatchedStore
from tests.consumers.conftest import MakeSettings
from tests.consumers.support import Event, publish, running_consumer
from tests.oracle import Oracle
from tests.sentinel import Watched
from tests.servers import redis_program
from tests.store.support import event


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """A primary, two replicas and three sentinels."""
    servers = Watched(redis_program(), tmp_path)
    yield servers
    servers.stop()


@dataclass
class Asking:
    """What somebody learns who asks without a pause: how often there was no answer, and the last answer."""

    body: bytes = b"{}"
    outages: int = 0

    def has_counted(self, events: Sequence[Event]) -> Callable[[], bool]:
        """A condition: the last answer is what a recount of these events gives."""
        wanted = Oracle(events).answer("project")
        return lambda: json.loads(self.body) == wanted


@asynccontextmanager
async def asking(store: WatchedStore) -> AsyncIterator[Asking]:
    """Asks until the block ends. Raises what is no outage."""
    seen = Asking()

    async def ask() -> None:
        while True:
            try:
                seen.body = (await store.read("project", None, None, None)).body
            except StoreUnavailableError:
                seen.outages += 1
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(ask())
        yield seen
        task.cancel()


async def test_failovers_are_followed(
    watched: Watched, make_settings: MakeSettings, kafka_bootstrap: str, topic: str
) -> None:
    """Events go on coming while the primary is swapped, and while it dies; whatever was lost is read again."""
    events: list[Event] = []

    async def publish_more() -> None:
        more = [event(job) for job in range(len(events), len(events) + 200)]
        await publish(kafka_bootstrap, topic, more)
        events.extend(more)

    async with (
        running_consumer(make_settings(watched.url)) as running,
        create_reader_store(watched.url, cluster=False, look_seconds=0.2) as store,
        asking(store) as seen,
    ):
        await publish_more()
        await running.wait_counted(events)
        for change in (watched.fail_over, watched.kill_primary):
            changing = asyncio.create_task(asyncio.to_thread(change))
            while not changing.done():
                await publish_more()
            await changing
            await publish_more()
            await running.wait_counted(events)
            await eventually(seen.has_counted(events), "the reader has them as well")
            await running.wait_not_ready([])
        assert running.resyncs() > 0
