"""Three primaries, by the product's own client of clusters."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from random import Random

import pytest
from hiredis import ReplyError
from redis.crc import key_slot

from deploy.local.servers import free_port
from service.store.errors import StoreUnavailableError
from service.store.layout.keys import head_key, stripe_of
from tests.simulation.redis.cluster import SimulatedCluster
from tests.simulation.redis.home import Home
from tests.simulation.redis.lives import Old
from tests.simulation.redis.served import CONSUMERS, NOW_MS, Served, served
from tests.store.support import Event, Store, assert_equals_oracle, event

PROJECTS = [f"project-{number}" for number in range(12)]
_SLOTS_EACH = 16_384 / 3


def _server_of(project_id: str) -> int:
    """The number of the server that has a project."""
    return int(key_slot(head_key(stripe_of(project_id)).encode()) / _SLOTS_EACH)


def _events(job: int) -> list[Event]:
    return [event(job, project_id=each) for each in PROJECTS]


@pytest.fixture
async def nodes(home: Home) -> AsyncIterator[Sequence[Served]]:
    """The three, each at an address of its own."""
    addresses = [("127.0.0.1", free_port()) for _ in range(3)]
    cluster = SimulatedCluster(addresses, home, Random(1), lambda: NOW_MS, users=(CONSUMERS,))
    cluster.start()
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(served(server, port, is_cluster=True))
            for server, (_, port) in zip(cluster.servers, addresses, strict=True)
        ]
    cluster.close()


async def test_a_client_finds_all_servers(nodes: Sequence[Served]) -> None:
    """It is told of one of them, and writes to all."""
    async with nodes[1].store() as store:
        await store.apply(_events(1))
        await assert_equals_oracle(store, _events(1), [(each, None, None, None) for each in PROJECTS])
    assert all(node.server.ask("DBSIZE") for node in nodes)
    assert {_server_of(each) for each in PROJECTS} == {0, 1, 2}


async def test_a_server_redirects(nodes: Sequence[Served]) -> None:
    """It has no keys of another's slots, and names the address of that one."""
    slot = key_slot(b"key")
    assert slot // _SLOTS_EACH == 2
    with pytest.raises(ReplyError, match=f"MOVED {slot} 127.0.0.1:{nodes[2].port}"):
        nodes[0].server.ask("SET", "key", "value")
    assert nodes[2].server.ask("SET", "key", "value") == b"OK"


async def test_a_killed_server_is_an_outage_of_its_projects(nodes: Sequence[Served]) -> None:
    """The others answer meanwhile, and it has everything, and takes writes, as soon as it is back."""
    killed = nodes[2].server
    mine, others = ([each for each in PROJECTS if (_server_of(each) == 2) is is_mine] for is_mine in (True, False))
    async with nodes[0].store() as store:
        await store.apply(_events(1))
        killed.kill()
        await assert_equals_oracle(store, _events(1), [(each, None, None, None) for each in others])
        for each in mine:
            with pytest.raises(StoreUnavailableError):
                await store.body(each)
        killed.start()
        again = Store(store.client)
        await assert_equals_oracle(again, _events(1), [(each, None, None, None) for each in PROJECTS])
        await store.apply(_events(2))
        both = [*_events(1), *_events(2)]
        await assert_equals_oracle(store, both, [(each, None, None, None) for each in PROJECTS])


async def test_faults_are_those_of_one_server(nodes: Sequence[Served]) -> None:
    """One goes back to what it knew; the others do not."""
    async with nodes[0].store() as store:
        await store.apply(_events(1))
        state = nodes[1].server.snapshot()
        await store.apply(_events(2))
        nodes[1].server.restore(state)
        nodes[1].server.forbid(CONSUMERS, "set")
        nodes[1].server.cut_log(0)
        nodes[1].server.start()
    async with nodes[0].store() as store:
        for each in PROJECTS:
            known = [*_events(1), *([] if _server_of(each) == 1 else _events(2))]
            await assert_equals_oracle(store, known, [(each, None, None, None)])


async def test_a_replica_takes_the_place_of_one_server(nodes: Sequence[Served]) -> None:
    """The old primary of those slots takes writes that are lost, until it ends."""
    promoted = nodes[2].server
    async with nodes[0].client() as before, nodes[0].client() as after:
        await before.set("key", "early")
        promoted.promote(promoted.snapshot(), Old.ISOLATED)
        await before.set("key", "lost")
        assert await after.get("key") == b"early"
        promoted.end_old()
        await asyncio.gather(before.get("key"), return_exceptions=True)
        assert await before.get("key") == b"early"
