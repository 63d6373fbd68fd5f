"""The same on a Redis Cluster: everything of a project in one slot, and scripts that touch no other."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from redis.asyncio import RedisCluster
from redis.asyncio.cluster import ClusterNode

from deploy.local.servers import free_port
from deploy.local.waiting import eventually
from service.events.event import JobDeletion
from service.store.errors import FencedError, StoreUnavailableError
from service.store.layout.heads import Progress
from service.store.layout.keys import STRIPES, head_key, stripe_tag
from service.store.read.client import create_reader_client
from service.store.read.reader import RedisStatisticsStore
from service.store.redis.client import WRITE_TIMEOUT_SECONDS, create_writer_client
from service.store.write.writer import Step, StoreWriter, StripeBatch
from tests.redis_cluster import forget_scripts
from tests.servers import CLUSTER_SLOTS
from tests.store.support import NOON_MS, Event, Query, Store, assert_equals_oracle, assert_no_drift, event


@pytest.fixture
async def cluster_store(any_cluster_url: str, key_prefix: str | None) -> AsyncIterator[Store]:
    """An empty store on a cluster: a writer's client, and a reader with a client of its own."""
    writer_client = create_writer_client(any_cluster_url, cluster=True, key_prefix=key_prefix)
    reader_client = create_reader_client(any_cluster_url, cluster=True, key_prefix=key_prefix)
    store = Store(writer_client)
    store.reader = RedisStatisticsStore(reader_client)
    yield store
    for each in (writer_client, reader_client):
        await each.aclose()


@pytest.mark.parametrize("key_prefix", [None, "other:"])
async def test_batches_answers_and_audit(cluster_store: Store) -> None:
    """Many projects, splits, corrections, deletions and renames are applied and read as on a single Redis."""
    projects = [f"project-{number}" for number in range(100)]
    crowd = [
        event(f"{n}", project_id="crowd", start_time_ms=NOON_MS + n % 999, user_id=f"user{n % 9}") for n in range(2_500)
    ]
    first: list[Event] = [*crowd, *[event(project_id=each) for each in projects]]
    second: list[Event] = [
        *[event(f"{n}", project_id="crowd", sequence=1, start_time_ms=n, user_name="new") for n in range(0, 2_500, 9)],
        *[JobDeletion("crowd", f"{n}") for n in range(0, 2_500, 7)],
    ]
    queries: list[Query] = [
        *[(each, None, None, None) for each in projects],
        *[
            ("crowd", start, end, user)
            for start in (None, NOON_MS + 300)
            for end in (None, NOON_MS + 777)
            for user in (None, "user3")
        ],
    ]
    await cluster_store.apply(first)
    await assert_equals_oracle(cluster_store, first, queries)
    await cluster_store.apply(second)
    await assert_equals_oracle(cluster_store, [*first, *second], queries)
    await assert_no_drift(cluster_store.client, [*first, *second])


async def test_heads_and_fence(cluster_store: Store) -> None:
    """All stripes move, and a wrong offset is fenced for its stripe alone."""
    await cluster_store.writer.apply(1, [StripeBatch(stripe, [Step(0, 0, 5, 9)]) for stripe in range(STRIPES)])
    steps = [StripeBatch(3, [Step(0, 0, 6, 9)]), StripeBatch(4, [Step(0, 5, 6, 9)])]
    with pytest.raises(FencedError, match="stripe 3 "):
        await cluster_store.writer.apply(1, steps)
    progress = [head.progress for head in await cluster_store.writer.read_heads()]
    assert progress == [(Progress(6 if stripe == 4 else 5, 9),) for stripe in range(STRIPES)]


async def test_scripts_flushed_between_batches(cluster_store: Store, any_cluster_url: str) -> None:
    """A node that has forgotten the script is taught it again."""
    await cluster_store.apply([event(1)])
    forget_scripts(any_cluster_url)
    assert await cluster_store.apply([event(2)]) == 1


async def test_reader_answers_ping(cluster_store: Store) -> None:
    """A reader of a cluster is ready when its nodes answer."""
    await cluster_store.reader.ping()


async def test_many_first_commands_at_once(any_cluster_url: str) -> None:
    """A client that has not spoken to any node yet takes as many commands as there are stripes."""
    for _ in range(3):
        client = create_writer_client(any_cluster_url, cluster=True)
        heads = await StoreWriter(client).read_heads()
        assert [head.progress for head in heads] == [()] * STRIPES
        await client.aclose()


async def test_more_commands_than_connections(any_cluster_url: str) -> None:
    """Whoever finds no connection free waits for one, in a reader and in a writer."""
    for create in (create_writer_client, create_reader_client):
        client = create(any_cluster_url, True, WRITE_TIMEOUT_SECONDS)
        assert await asyncio.gather(*[client.get(head_key(7)) for _ in range(500)]) == [None] * 500
        await client.aclose()


async def test_stripes_spread_over_slots(cluster_store: Store) -> None:
    """Each stripe has a slot of its own, so that as many primaries can share the load."""
    assert isinstance(cluster_store.client, RedisCluster)
    assert len({cluster_store.client.keyslot(stripe_tag(stripe)) for stripe in range(STRIPES)}) == STRIPES


async def test_any_host_that_is_up_is_enough(any_cluster_url: str) -> None:
    """Of the hosts in the URL; also where later none of the nodes that the client knows has its address any more."""
    port = urlsplit(any_cluster_url).port
    url = f"redis://127.0.0.1:{free_port()},127.0.0.1:{port},127.0.0.1:{free_port()}/0"
    client = create_writer_client(url, cluster=True)
    assert isinstance(client, RedisCluster)
    store = Store(client)
    await store.apply([event(1)])
    manager = client.nodes_manager
    gone = ClusterNode("127.0.0.1", free_port(), **manager.connection_kwargs)
    for node in manager.nodes_cache.values():
        await node.disconnect()
    manager.nodes_cache.clear()
    manager.nodes_cache[gone.name] = gone
    manager.slots_cache.update({slot: [gone] for slot in range(CLUSTER_SLOTS)})
    with pytest.raises(StoreUnavailableError, match="Connect call failed"):
        await store.apply([event(2)])
    await eventually(lambda: gone.name not in manager.nodes_cache, "the nodes are asked for again")
    await store.apply([event(2)])
    await assert_equals_oracle(store, [event(1), event(2)], [("project", None, None, None)])
    await client.aclose()
