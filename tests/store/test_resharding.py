"""A cluster whose slots move, and whose primaries end, while it is written and read."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
from redis.asyncio import RedisCluster

from deploy.local.process import wait_until
from deploy.local.waiting import eventually
from service.store.errors import StoreUnavailableError
from service.store.layout.keys import head_key, project_prefix, stripe_of
from service.store.read.client import create_reader_client
from service.store.read.reader import RedisStatisticsStore
from service.store.redis.client import create_writer_client
from service.store.redis.outages import reaching
from tests.redis_cluster import ClusterNode, ThreePrimaries, empty_cluster
from tests.store.support import Event, Query, Store, assert_equals_oracle, assert_no_drift, event

PROJECTS = [f"project-{number}" for number in range(12)]
QUERIES: list[Query] = [(each, None, None, None) for each in PROJECTS]


@pytest.fixture
async def store(three_primaries: ThreePrimaries) -> AsyncIterator[Store]:
    """An empty store on three primaries, with a reader of its own."""
    empty_cluster(three_primaries.url)
    clients = [create(three_primaries.url, cluster=True) for create in (create_writer_client, create_reader_client)]
    store = Store(clients[0])
    store.reader = RedisStatisticsStore(clients[1])
    yield store
    for client in clients:
        await client.aclose()


@pytest.fixture
def client(store: Store) -> RedisCluster:
    """The writer's client."""
    assert isinstance(store.client, RedisCluster)
    return store.client


@pytest.fixture
def slot(client: RedisCluster) -> int:
    """The slot of the first project."""
    return int(client.keyslot(head_key(stripe_of(PROJECTS[0]))))


def moved_back(cluster: ThreePrimaries, slot: int, owner: ClusterNode) -> None:
    """Gives a slot back to whom it belonged."""
    source = cluster.owner(slot)
    if source is not owner:
        owner.ask("SETSLOT", slot, "IMPORTING", source.node_id)
        source.ask("SETSLOT", slot, "MIGRATING", owner.node_id)
        cluster.move_keys(slot, source, owner)
        cluster.close_slot(slot, owner)


async def test_commands_follow_a_slot_that_is_moved(
    three_primaries: ThreePrimaries, client: RedisCluster, slot: int
) -> None:
    """Of a slot that is half moved each key is found where it is, by as many commands at once as one likes."""
    prefix = project_prefix(PROJECTS[0])
    keys = [f"{prefix}{number}" for number in range(40)]
    for key in keys:
        await client.set(key, key)
    source, target = three_primaries.open_slot(slot)
    try:
        for turn in range(3):
            for _ in range(5):
                assert await asyncio.gather(*[client.get(key) for key in keys]) == [key.encode() for key in keys]
                script = "return redis.call('GET', KEYS[1])"
                found = await asyncio.gather(*[client.execute_command("EVAL", script, 1, key) for key in keys])
                assert found == [key.encode() for key in keys]
            assert three_primaries.move_keys(slot, source, target, most=15) == (15, 15, 10)[turn]
            if turn == 0:
                with pytest.raises(StoreUnavailableError, match="TryAgainError"), reaching("reading"):
                    await client.mget(keys)
        three_primaries.close_slot(slot, target)
        await client.get(keys[0])
        known = client.get_node_from_key(keys[0])
        assert known is not None
        assert known.port == target.port  # it is not redirected again
        for other in (client, create_reader_client(three_primaries.url, cluster=True)):
            assert await asyncio.gather(*[other.get(key) for key in keys]) == [key.encode() for key in keys]
            assert await other.mget(keys) == [key.encode() for key in keys]
            if other is not client:
                await other.aclose()
    finally:
        moved_back(three_primaries, slot, source)


async def test_slot_is_moved_to_a_node_that_nobody_knew(
    three_primaries: ThreePrimaries, client: RedisCluster, slot: int
) -> None:
    """A node that joined after the client had asked for the nodes gets its commands like any other."""
    key = f"{project_prefix(PROJECTS[0])}key"
    await client.set(key, "a")
    with three_primaries.joined() as node:
        source, _ = three_primaries.open_slot(slot, node)
        try:
            three_primaries.move_keys(slot, source, node)
            assert await asyncio.gather(*[client.get(key) for _ in range(20)]) == [b"a"] * 20
            three_primaries.close_slot(slot, node)
            assert await asyncio.gather(*[client.get(key) for _ in range(20)]) == [b"a"] * 20
        finally:
            moved_back(three_primaries, slot, source)
        assert await client.get(key) == b"a"
    assert await client.get(key) == b"a"


@dataclass
class Repeated:
    """Something that is done again and again; any error but that of an outage is raised."""

    attempt: Callable[[], Awaitable[object]]
    worked: int = 0

    async def run(self, done: asyncio.Event) -> None:
        """Goes on until it is done."""
        while not done.is_set():
            try:
                await self.attempt()
                self.worked += 1
            except StoreUnavailableError:
                await asyncio.sleep(0.001)


async def test_answers_and_batches_go_on_while_a_slot_is_moved(
    three_primaries: ThreePrimaries, store: Store, client: RedisCluster, slot: int
) -> None:
    """Whoever writes other slots and reads all of them sees outages at most, and never a wrong answer."""
    events: list[Event] = [event(n, project_id=each, start_time_ms=n) for each in PROJECTS for n in range(300)]
    await store.apply(events)
    others = [each for each in PROJECTS if int(client.keyslot(head_key(stripe_of(each)))) != slot]
    done = asyncio.Event()

    async def write() -> None:
        batch: list[Event] = [event(f"{len(events)} {n}", project_id=each) for each in others for n in range(3)]
        await store.apply(batch)
        events.extend(batch)

    async def read() -> None:
        """A reader that remembers, and one that does not."""
        for reader in (store.reader, RedisStatisticsStore(store.client)):
            await assert_equals_oracle(_reading(store, reader), events, QUERIES[:1])

    repeated = [Repeated(write), Repeated(read)]

    async def move() -> None:
        """There and back, some keys at a time, until all have worked meanwhile."""
        while min(each.worked for each in repeated) < 3:
            source, target = await asyncio.to_thread(three_primaries.open_slot, slot)
            while await asyncio.to_thread(three_primaries.move_keys, slot, source, target, 2):
                pass
            await asyncio.to_thread(three_primaries.close_slot, slot, target)
            await asyncio.to_thread(moved_back, three_primaries, slot, source)
        done.set()

    async with asyncio.TaskGroup() as group:
        for each in repeated:
            group.create_task(each.run(done))
        group.create_task(move())
    await write()
    await assert_equals_oracle(store, events, QUERIES)
    await assert_no_drift(client, events)


def _reading(store: Store, reader: RedisStatisticsStore) -> Store:
    """A store that is read by this reader."""
    other = Store(store.client)
    other.reader = reader
    return other


async def test_store_goes_on_when_a_primary_ends(three_primaries: ThreePrimaries, store: Store, slot: int) -> None:
    """While a primary is gone its projects are an outage; its replica is found by writer and reader by themselves."""
    events: list[Event] = [event(n, project_id=each) for each in PROJECTS for n in range(5)]
    await store.apply(events)
    await assert_equals_oracle(store, events, QUERIES)
    ended = three_primaries.owner(slot)
    replica = next(each for each in three_primaries.nodes if is_replica_of(each, ended))
    wait_until(replica.child, lambda: offset(replica) == offset(ended), "have all that its primary has")
    ended.kill()
    more: list[Event] = [event(n, project_id=PROJECTS[0]) for n in range(5, 9)]

    async def is_applied() -> bool:
        try:
            await store.apply(more)
        except StoreUnavailableError:
            return False
        return True

    async def is_read() -> bool:
        try:
            await assert_equals_oracle(store, [*events, *more], QUERIES)
        except StoreUnavailableError:
            return False
        return True

    try:
        await eventually(is_applied, "the batch is applied by the replica")
        await eventually(is_read, "all projects are read")
    finally:
        ended.start()
        await asyncio.to_thread(three_primaries.wait_well)
    await assert_equals_oracle(store, [*events, *more], QUERIES)
    await assert_no_drift(store.client, [*events, *more])


def is_replica_of(node: ClusterNode, primary: ClusterNode) -> bool:
    """Whether one node follows the other."""
    info = node.admin.info("replication")
    return bool(info["role"] == "slave" and info["master_port"] == primary.port)


def offset(node: ClusterNode) -> int:
    """How far a node is in the stream of replication."""
    info = node.admin.info("replication")
    return int(info["slave_repl_offset"] if info["role"] == "slave" else info["master_repl_offset"])
