"""An address that leads to the promoted server, while the demoted one keeps the connections that it has."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, suppress
from typing import Any

import pytest
from redis.exceptions import RedisError

from service.store.errors import StoreUnavailableError
from service.store.read.client import create_reader_client
from service.store.read.watched import WatchedStore
from service.store.redis.client import create_writer_client
from service.store.redis.views import Client
from service.store.write.writer import StoreWriter
from tests.store.pair import Pair
from tests.store.proxy import Proxy, running_proxy
from tests.store.support import Event, Store, assert_equals_oracle, event


@pytest.fixture
async def proxy(pair: Pair) -> AsyncIterator[Proxy]:
    """The address of whichever is the primary."""
    async with running_proxy(pair.urls[0]) as proxy:
        yield proxy


@pytest.fixture
async def writing(proxy: Proxy) -> AsyncIterator[Client]:
    """A writer's client behind the address."""
    client = create_writer_client(proxy.url, cluster=False)
    yield client
    await client.aclose()


@pytest.fixture
async def reading(proxy: Proxy) -> AsyncIterator[Client]:
    """A reader's client behind the address."""
    client = create_reader_client(proxy.url, cluster=False)
    yield client
    await client.aclose()


@pytest.fixture
async def closing() -> AsyncIterator[AsyncExitStack]:
    """Closes what a test opens."""
    async with AsyncExitStack() as stack:
        yield stack


async def test_writer_finds_the_promoted_server(pair: Pair, proxy: Proxy, writing: Client) -> None:
    """READONLY in a pipeline's reply ends all connections of the pool: the same batch goes through when sent again."""
    store = Store(writing)
    events: list[Event] = [event(1, project_id=f"project-{n}") for n in range(8)]
    await store.apply(events[:4])
    pair.fail_over()
    proxy.lead_new_to(pair.urls[1])
    with pytest.raises(StoreUnavailableError, match="read only replica"):
        await store.apply(events[4:])
    await store.apply(events[4:])
    await assert_equals_oracle(store, events, [(each.project_id, None, None, None) for each in events])
    assert pair.admins[0].info("replication")["role"] == "slave"


async def test_server_that_loads_or_lacks_its_master_is_left(pair: Pair, proxy: Proxy, reading: Client) -> None:
    """A demoted server that will not serve what it has is left by a reader with its next question."""
    store = Store(reading)
    async with aclosing(create_writer_client(pair.urls[0], cluster=False)) as writer:
        await Store(writer).apply([event(1)])
    await assert_equals_oracle(store, [event(1)], [("project", None, None, None)])
    pair.fail_over()
    proxy.lead_new_to(pair.urls[1])
    pair.admins[0].config_set("replica-serve-stale-data", "no")
    pair.lose_primary()
    with suppress(StoreUnavailableError):
        await store.body("project", 1)  # MASTERDOWN
    await assert_equals_oracle(store, [event(1)], [("project", 2, None, None)])


async def test_reader_of_a_replica_dials_again(
    pair: Pair, proxy: Proxy, reading: Client, closing: AsyncExitStack
) -> None:
    """A demoted server that serves what it has is left once the reader has looked what it is."""
    store, whole = Store(reading), [("project", None, None, None)]
    clients = [await closing.enter_async_context(aclosing(create_writer_client(url, False))) for url in pair.urls]
    writer = Store(clients[0])
    await writer.apply([event(1)])
    await assert_equals_oracle(store, [event(1)], whole)
    pair.fail_over()
    proxy.lead_new_to(pair.urls[1])
    pair.lose_primary()
    writer.writer = StoreWriter(clients[1])
    await writer.apply([event(2)])
    await assert_equals_oracle(store, [event(1)], whole)
    await WatchedStore(store.reader, reading).look()
    await assert_equals_oracle(store, [event(1), event(2)], whole)


async def test_pool_is_renewed_as_a_whole(pair: Pair, proxy: Proxy, writing: Client) -> None:
    """One reply is enough for all connections, also for those in use: each is dialled again once, and no more."""
    pool: Any = writing.connection_pool  # type: ignore[union-attr]
    *held, idle = [await pool.get_connection() for _ in range(4)]
    await pool.release(idle)
    pair.fail_over()
    proxy.lead_new_to(pair.urls[1])
    with pytest.raises(RedisError):
        await writing.set("a", "b")
    for connection in held:
        await pool.release(connection)
    for _ in range(4):
        await writing.set("a", "b")
    again = [await pool.get_connection() for _ in range(4)]
    for connection in again:
        await connection.send_command("SET", "a", "b")
        assert await connection.read_response() == b"OK"
        await pool.release(connection)
