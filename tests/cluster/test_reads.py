"""Readers of a cluster of which a part is away or hangs: the rest answers, and no question waits longer than it may."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from deploy.local.servers import free_port
from service.store.errors import StoreUnavailableError
from service.store.layout.keys import head_key, stripe_of
from service.store.read.client import create_reader_client, create_reader_store
from service.store.read.known import QUESTION_SECONDS
from service.store.read.reader import RedisStatisticsStore
from service.store.redis.client import create_writer_client
from tests.cluster.silence import silent_server
from tests.redis_cluster import ClusterNode, ThreePrimaries, killed, stopped
from tests.store.support import Event, Store, assert_equals_oracle, event

PROJECTS = [f"project-{number}" for number in range(24)]
EVENTS: list[Event] = [event(n, project_id=each) for each in PROJECTS for n in range(3)]


@asynccontextmanager
async def filled(cluster: ThreePrimaries) -> AsyncIterator[Store]:
    """A store with projects on all primaries, and a reader that has met all nodes."""
    writing, reading = create_writer_client(cluster.url, cluster=True), create_reader_client(cluster.url, cluster=True)
    store = Store(writing)
    store.reader = RedisStatisticsStore(reading)
    await store.apply(EVENTS)
    await assert_equals_oracle(store, EVENTS, [(each, None, None, None) for each in PROJECTS])
    yield store
    await writing.aclose()
    await reading.aclose()


def shard_of(cluster: ThreePrimaries, project: str) -> ClusterNode:
    """The primary of a project."""
    return cluster.owner_of_key(head_key(stripe_of(project)))


@pytest.mark.parametrize("taken", [stopped, killed])
async def test_other_shards_answer(cluster: ThreePrimaries, taken: object) -> None:
    """While a shard is away as a whole, or hangs, its questions fail in time and all others are answered."""
    async with filled(cluster) as store:
        sick = shard_of(cluster, PROJECTS[0])
        theirs = [each for each in PROJECTS if shard_of(cluster, each) is sick]
        others = [each for each in PROJECTS if each not in theirs]
        shard = [sick, *cluster.replicas_of(sick)]
        with taken(*shard):  # type: ignore[operator]
            for _ in range(2):
                asked = [asyncio.create_task(fails_in_time(store, each)) for each in theirs for _ in range(20)]
                await assert_equals_oracle(store, EVENTS, [(each, None, None, None) for each in others])
                await store.reader.ping()
                await asyncio.gather(*asked)
        await asyncio.to_thread(cluster.wait_well)
        back = PROJECTS if taken is stopped else others  # these servers keep nothing on disk
        await assert_equals_oracle(store, EVENTS, [(each, None, None, None) for each in back])


async def fails_in_time(store: Store, project: str) -> None:
    """Asks, and is told within the limit that there is no answer."""
    async with asyncio.timeout(5 * QUESTION_SECONDS):  # the limit, and what a busy machine adds
        with pytest.raises(StoreUnavailableError):
            await store.reader.read(project, None, None, None)


@pytest.mark.parametrize("is_up", [0, 1, 2])
async def test_one_host_of_the_url_is_enough(cluster: ThreePrimaries, is_up: int) -> None:
    """It may be any of them; of the others one refuses, and one accepts connections and is silent."""
    async with silent_server() as silent_port:
        ports = [free_port(), silent_port]
        ports.insert(is_up, cluster.nodes[is_up].port)
        url = f"redis://{','.join(f'127.0.0.1:{port}' for port in ports)}/0"
        async with create_reader_store(url, cluster=True) as store:
            await store.ping()
        client = create_writer_client(url, cluster=True)
        await Store(client).apply(EVENTS)
        await client.aclose()
