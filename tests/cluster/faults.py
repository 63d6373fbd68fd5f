"""What is done to a cluster while it is written and read: each fault takes the cluster, and ends what it began.

A fault yields the nodes whose slots have no answer meanwhile; none where others take over by themselves.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

from deploy.local.waiting import eventually
from tests.redis_cluster import ClusterNode, ThreePrimaries, killed, stopped

Fault = Callable[[ThreePrimaries, Sequence[int]], AbstractAsyncContextManager[Sequence[ClusterNode]]]
"""Called with the cluster and with slots that are written and read."""


async def is_taken_over(replica: ClusterNode) -> None:
    """Waits until a replica is the primary."""
    await eventually(lambda: replica.is_primary, "a replica has taken over")


@asynccontextmanager
async def primary_killed(cluster: ThreePrimaries, slots: Sequence[int]) -> AsyncIterator[Sequence[ClusterNode]]:
    """A primary is killed, its replica takes over, and it comes back as a replica."""
    primary = cluster.owner(slots[0])
    [replica] = cluster.replicas_of(primary)
    primary.kill()
    await is_taken_over(replica)
    yield []
    primary.start()


@asynccontextmanager
async def first_host_killed(cluster: ThreePrimaries, _: Sequence[int]) -> AsyncIterator[Sequence[ClusterNode]]:
    """The node that the URL names first is killed, whatever it is now."""
    node = cluster.nodes[0]
    replicas = cluster.replicas_of(node) if node.is_primary else []
    node.kill()
    cluster.seen_from = cluster.nodes[1]
    for replica in replicas:
        await is_taken_over(replica)
    yield []
    cluster.seen_from = node
    node.start()


@asynccontextmanager
async def failover_asked_for(cluster: ThreePrimaries, slots: Sequence[int]) -> AsyncIterator[Sequence[ClusterNode]]:
    """An operator has a replica take over, with CLUSTER FAILOVER."""
    [replica] = cluster.replicas_of(cluster.owner(slots[0]))
    replica.ask("FAILOVER")
    await is_taken_over(replica)
    yield []


@asynccontextmanager
async def primary_hangs(cluster: ThreePrimaries, slots: Sequence[int]) -> AsyncIterator[Sequence[ClusterNode]]:
    """A primary accepts connections and answers nothing; its replica takes over, and it goes on as it was."""
    primary = cluster.owner(slots[0])
    [replica] = cluster.replicas_of(primary)
    with stopped(primary):
        await is_taken_over(replica)
        yield []


@asynccontextmanager
async def shard_hangs(cluster: ThreePrimaries, slots: Sequence[int]) -> AsyncIterator[Sequence[ClusterNode]]:
    """A primary and its replica accept connections and answer nothing."""
    primary = cluster.owner(slots[0])
    with stopped(*cluster.shard_of(primary)):
        yield [primary]


@asynccontextmanager
async def shard_away(cluster: ThreePrimaries, slots: Sequence[int]) -> AsyncIterator[Sequence[ClusterNode]]:
    """A primary and its replica are killed, and come back without anything that they held."""
    primary = cluster.owner(slots[0])
    with killed(*cluster.shard_of(primary)):
        yield [primary]


@asynccontextmanager
async def slots_moved(cluster: ThreePrimaries, slots: Sequence[int]) -> AsyncIterator[Sequence[ClusterNode]]:
    """Slots go to another primary: one in steps of three keys, one at once; both come back."""
    for slot, most in ((slots[0], 3), (slots[-1], 100_000)) * 2:
        await asyncio.to_thread(move, cluster, slot, most, None)
    yield []


@asynccontextmanager
async def node_added(cluster: ThreePrimaries, slots: Sequence[int]) -> AsyncIterator[Sequence[ClusterNode]]:
    """A node joins and takes a slot; the slot goes back, and the node leaves."""
    joined = cluster.joined()
    node = await asyncio.to_thread(joined.__enter__)
    try:
        source = cluster.owner(slots[0])
        await asyncio.to_thread(move, cluster, slots[0], 50, node)
        await asyncio.to_thread(move, cluster, slots[0], 50, source)
    finally:
        await asyncio.to_thread(partial(joined.__exit__, None, None, None))
    yield []


def move(cluster: ThreePrimaries, slot: int, most: int, target: ClusterNode | None) -> None:
    """Moves a slot, so many keys at a time."""
    source, target = cluster.open_slot(slot, target)
    while cluster.move_keys(slot, source, target, most):
        pass
    cluster.close_slot(slot, target)


FAULTS: Sequence[Fault] = (
    failover_asked_for,
    slots_moved,
    node_added,
    primary_hangs,
    primary_killed,
    first_host_killed,
    shard_hangs,
    shard_away,
)
