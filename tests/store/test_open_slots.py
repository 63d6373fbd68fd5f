"""Scripts that come to a slot while it is being moved, whichever of its keys have been moved: nothing is lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from redis.asyncio import RedisCluster

from service.runtime.redis_url import parse_redis_url
from service.store.audit.unfinished import mend_project
from service.store.errors import StoreUnavailableError
from service.store.generations import BuildingWriter, Generations
from service.store.layout.heads import Claim
from service.store.layout.keys import head_key, project_prefix, stripe_of
from service.store.read.client import create_reader_client
from service.store.read.reader import RedisStatisticsStore
from service.store.redis.client import WRITE_TIMEOUT_SECONDS, create_writer_client
from service.store.redis.cluster import Cluster
from service.store.retention import Sweeper
from service.store.write.batch import fold
from service.store.write.writer import Step, StripeBatch
from tests.oracle import Oracle
from tests.redis_cluster import ClusterNode, ThreePrimaries, empty_cluster
from tests.store.support import Event, Store, assert_equals_oracle, assert_no_drift, event
from tests.store.test_retention import move_horizon, no_pause
from tests.store.test_unfinished import (
    DAY_MS,
    FIRST,
    PROJECTS,
    QUERIES,
    SECOND,
    apply_after_mending,
    assert_right_or_refused,
)


@pytest.fixture
async def store(three_primaries: ThreePrimaries) -> AsyncIterator[Store]:
    """A store on three primaries with the first events, and a reader of its own."""
    empty_cluster(three_primaries.url)
    clients = [create(three_primaries.url, cluster=True) for create in (create_writer_client, create_reader_client)]
    store = Store(clients[0])
    store.reader = RedisStatisticsStore(clients[1])
    await store.apply(FIRST)
    yield store
    for client in clients:
        await client.aclose()


@dataclass
class OpenSlot:
    """The slot of the projects while it is being moved; in the end it is back where it was."""

    cluster: ThreePrimaries
    number: int
    source: ClusterNode = field(init=False)
    target: ClusterNode = field(init=False)

    def __post_init__(self) -> None:
        self.source, self.target = self.cluster.open_slot(self.number)

    def move(self, is_moved: Callable[[bytes], bool]) -> list[bytes]:
        """Moves those of the slot's keys."""
        keys: list[bytes] = self.source.ask("GETKEYSINSLOT", self.number, 1_000_000)
        some = [key for key in keys if is_moved(key)]
        if some:
            self.source.admin.migrate("127.0.0.1", self.target.port, some, 0, 10_000)
        return some

    def close(self) -> None:
        """Moves what is left, and gives the slot to its new owner."""
        self.cluster.move_keys(self.number, self.source, self.target)
        self.cluster.close_slot(self.number, self.target)


@pytest.fixture
def slot(three_primaries: ThreePrimaries, store: Store) -> Iterator[OpenSlot]:
    """The slot, open, with all keys where they were."""
    assert isinstance(store.client, RedisCluster)
    moving = OpenSlot(three_primaries, int(store.client.keyslot(head_key(stripe_of(PROJECTS[0])))))
    yield moving
    moving.close()


def named(*parts: str) -> Callable[[bytes], bool]:
    """Whether a key has one of these parts."""
    return lambda key: any(part.encode() in key for part in parts)


# which keys have been moved when the script comes
MOVED: dict[str, Callable[[bytes], bool]] = {
    "none": named(),
    "head": named("}:head"),
    "meta": named(":m"),
    "head and meta": named("}:head", ":m"),
    "nodes": named(":n:"),
    "records": named(":j:"),
    "some records": named(":j:1", ":j:3"),
    "shape": named(":s"),
    "all but the head": lambda key: b"}:head" not in key,
    "all but records": lambda key: b":j:" not in key,
    "all but one node": lambda key: not key.endswith(b":n:42:0"),
    "all": lambda _: True,
}


async def is_refused(attempt: Awaitable[object]) -> bool:
    """Whether an outage came of it."""
    try:
        await attempt
    except StoreUnavailableError:
        return True
    return False


@pytest.mark.parametrize("moved", MOVED)
async def test_a_batch_that_comes_to_an_open_slot_is_not_lost(store: Store, slot: OpenSlot, moved: str) -> None:
    """Leaves that split, hashes that grow, new projects: no answer is wrong, and all of it counts afterwards."""
    slot.move(MOVED[moved])
    assert await is_refused(store.apply(SECOND))
    await assert_right_or_refused(store, FIRST, [*FIRST, *SECOND])
    slot.move(named(":j:", ":n:3"))
    assert await is_refused(store.apply(SECOND))
    await assert_right_or_refused(store, FIRST, [*FIRST, *SECOND])
    slot.close()
    await apply_after_mending(store, SECOND)
    await assert_equals_oracle(store, [*FIRST, *SECOND], QUERIES)
    await assert_no_drift(store.client, SECOND)


OLD: list[Event] = [
    event(f"old {job}", project_id=project, start_time_ms=job) for project in PROJECTS for job in (1, 2)
]


async def build(store: Store) -> None:
    """Builds the next generation of all projects from the first events, as a rebuild does, and makes it live."""
    generations = Generations(store.client)
    building = await generations.look()
    await generations.begin(building)
    writer = BuildingWriter(store.client, await generations.look())
    # what is live is as far as its head says: so far is what takes its place
    at = [head.progress[0].next_offset if head.progress else 0 for head in (await generations.look()).live]
    done = [head.progress[0].next_offset if head.progress else 0 for head in await writer.read_heads()]
    projects = fold([*OLD, *FIRST])
    batches = [
        StripeBatch(stripe, [Step(0, done[stripe], at[stripe], 0)], projects.get(stripe, ()), building.generation)
        for stripe in building.stripes
    ]
    await writer.apply(1, batches)
    await generations.swap(await generations.look())
    await generations.delete_retired()


async def sweep(store: Store) -> None:
    """Takes out what starts before the horizon."""
    await Sweeper(store.client).sweep(stripe_of(PROJECTS[0]), no_pause)


async def repair(store: Store) -> None:
    """Mends a project one of whose nodes is wrong."""
    assert (await mend_project(store.client, PROJECTS[0])).left == []


async def claim(store: Store) -> None:
    """Says that the stripe is fresh."""
    stripe = stripe_of(PROJECTS[0])
    head = (await store.writer.read_heads())[stripe]
    assert await store.writer.claim(1, Claim(DAY_MS, b"\1"), {stripe: head.moved_id}, 0) == []


WORK: dict[str, Callable[[Store], Awaitable[None]]] = {
    "build": build,
    "sweep": sweep,
    "repair": repair,
    "claim": claim,
}


@pytest.mark.parametrize("moved", ["none", "head", "head and meta", "nodes", "records", "all"])
@pytest.mark.parametrize("work", WORK)
async def test_other_work_in_an_open_slot_loses_nothing(
    three_primaries: ThreePrimaries, store: Store, work: str, moved: str
) -> None:
    """It is refused or done, and done once the slot has arrived; no answer is wrong before, meanwhile and after."""
    await store.apply(OLD)
    horizon_ms = 0
    if work == "sweep":
        horizon_ms = DAY_MS
        await move_horizon(store, horizon_ms)
    elif work == "repair":
        await store.client.setrange(f"{project_prefix(PROJECTS[0])}n:42:0", 9, b"\7")
    oracle = Oracle([*OLD, *FIRST])
    slot = open_slot(three_primaries, store)
    try:
        slot.move(MOVED[moved])
        assert not await is_refused(WORK[work](store)) or work != "claim"
        if work != "repair":
            await assert_answers(store, oracle, horizon_ms)
        slot.move(lambda key: hash(key) % 2 == 0)
        await is_refused(WORK[work](store))
    finally:
        slot.close()
    await WORK[work](store)
    for project in PROJECTS:
        assert await store.body(project) == oracle.answer(project, horizon_ms)
    await assert_no_drift(store.client, FIRST)


def open_slot(cluster: ThreePrimaries, store: Store) -> OpenSlot:
    """Begins to move the slot of the projects."""
    assert isinstance(store.client, RedisCluster)
    return OpenSlot(cluster, int(store.client.keyslot(head_key(stripe_of(PROJECTS[0])))))


async def assert_answers(store: Store, oracle: Oracle, horizon_ms: int) -> None:
    """What is answered is right."""
    for project in PROJECTS:
        with suppress(StoreUnavailableError):
            assert await store.body(project) == oracle.answer(project, horizon_ms)


class MovesBetween(Cluster):
    """A client that looks through one server before keys arrive there, and through the others when they have left."""

    first_port = 0
    move_keys: Callable[[], object] | None = None

    async def scan_iter(self, *args: Any, **options: Any) -> AsyncIterator[bytes]:  # type: ignore[override]
        """Yields the keys of all servers."""
        move, self.move_keys = self.move_keys, None
        ports = {node.port: node for node in self.get_primaries()}
        first = ports.pop(self.first_port)
        async for key in super().scan_iter(*args, target_nodes=first, **options):
            yield key
        if move is not None:
            await asyncio.to_thread(move)
        for node in ports.values():
            async for key in super().scan_iter(*args, target_nodes=node, **options):
                yield key


async def test_deletion_overlooks_no_key_that_is_moved_meanwhile(three_primaries: ThreePrimaries, store: Store) -> None:
    """A generation stays retired until none of its keys is left: its number may be used again."""
    generations = Generations(store.client)
    await generations.begin(await generations.look())
    building = await generations.look()
    writer = BuildingWriter(store.client, building)
    projects = fold(FIRST)
    await writer.apply(1, [StripeBatch(at, [Step(0, 0, 1, 0)], projects[at], building.generation) for at in projects])
    await generations.discard(await generations.look())
    client = MovesBetween(parse_redis_url(three_primaries.url).hosts, None, WRITE_TIMEOUT_SECONDS)
    assert isinstance(client, MovesBetween)
    source = three_primaries.owner(int(client.keyslot(head_key(stripe_of(PROJECTS[0])))))
    client.first_port = next(node.port for node in three_primaries.primaries if node is not source)
    client.move_keys = lambda: open_slot(three_primaries, store).close()
    try:
        await Generations(client).delete_retired()
        assert [key async for key in client.scan_iter("{s[0-9][0-9]}1:*")] == []
    finally:
        await client.aclose()
