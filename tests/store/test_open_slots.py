"""Scripts that come to a slot while it is being moved, whichever of its keys have been moved: nothing is lost."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import pytest
from redis.asyncio import RedisCluster

from service.store.client import create_reader_client, create_writer_client
from service.store.contract import StoreUnavailableError
from service.store.layout import head_key, stripe_of
from service.store.reader import RedisStatisticsStore
from tests.redis_cluster import ClusterNode, ThreePrimaries, empty_cluster
from tests.store.support import Store, assert_equals_oracle, assert_no_drift
from tests.store.test_unfinished import (
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
