"""Which server a client comes to where sentinels are wrong, away, or want a login."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from deploy.local.servers import free_port
from service.store.errors import StoreDeniedError, StoreUnavailableError
from service.store.read.client import create_reader_client
from service.store.redis.client import create_writer_client
from service.store.redis.views import Client
from service.store.write.writer import StoreWriter
from tests.sentinel import start_sentinel
from tests.servers import redis_program
from tests.store.pair import Pair
from tests.store.support import Store, acl, assert_equals_oracle, event


@asynccontextmanager
async def sentinel_that_names(*ports: int | None) -> AsyncIterator[str]:
    """The address of what names these servers in turn, and then the last always; without any it is silent.

    A real sentinel that is wrong learns the truth from the others within two seconds.
    """
    left = list(ports)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1_000):
            if left:
                port = left.pop(0) if len(left) > 1 else left[0]
                writer.write(f"*2\r\n$9\r\n127.0.0.1\r\n${len(str(port))}\r\n{port}\r\n".encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


def ports_of(pair: Pair) -> list[int | None]:
    """The ports of a primary and its replica."""
    return [urlsplit(url).port for url in pair.urls]


async def test_the_server_itself_says_whether_it_is_the_primary(pair: Pair) -> None:
    """The first sentinel is silent, the second names a server that was demoted, the third is right."""
    primary, replica = ports_of(pair)
    async with (
        sentinel_that_names() as silent,
        sentinel_that_names(replica) as stale,
        sentinel_that_names(primary) as right,
    ):
        url = f"redis+sentinel://{silent},{stale},{right}/stats"
        async with (
            aclosing(create_writer_client(url, False)) as writing,
            aclosing(create_reader_client(url, False)) as reading,
        ):
            await Store(writing).apply([event(1)])
            await assert_equals_oracle(Store(reading), [event(1)], [("project", None, None, None)])
        only_stale = create_writer_client(f"redis+sentinel://{stale}/stats", False)
        async with aclosing(only_stale):
            with pytest.raises(StoreUnavailableError, match="is a replica"):
                await StoreWriter(only_stale).read_heads()


async def test_other_connections_leave_a_server_that_is_the_primary_no_more(pair: Pair) -> None:
    """One new connection that comes to another server is enough: the old server says nothing to its connections."""
    first_port, other_port = ports_of(pair)
    async with AsyncExitStack() as stack:
        sentinel = await stack.enter_async_context(sentinel_that_names(first_port, first_port, other_port))
        client = create_writer_client(f"redis+sentinel://{sentinel}/stats", False)
        await stack.enter_async_context(aclosing(client))
        assert isinstance(client, Redis)
        first, second = [await client.connection_pool.get_connection() for _ in range(2)]  # type: ignore[no-untyped-call]
        await client.connection_pool.release(first)
        pair.admins[1].replicaof("NO", "ONE")  # the other goes on as a primary
        await second.disconnect()
        await client.connection_pool.release(second)
        held = await client.connection_pool.get_connection()  # type: ignore[no-untyped-call]
        await client.set("a", "b")
        await client.connection_pool.release(held)
        assert pair.admins[0].get("a") is None


@pytest.mark.parametrize("create", [create_writer_client, create_reader_client])
async def test_a_user_who_may_not_ask_for_the_role_is_denied(pair: Pair, create: Callable[..., Client]) -> None:
    """Nobody would notice that the server is a replica."""
    primary, _ = ports_of(pair)
    pair.admins[0].acl_setuser("norole", enabled=True, passwords=["+s3cr3t"], keys=["*"], commands=["+@all", "-role"])
    async with sentinel_that_names(primary) as sentinel:
        url = f"redis+sentinel://norole:s3cr3t@{sentinel}/stats"
        async with aclosing(create(url, False)) as client:
            with pytest.raises(StoreDeniedError, match="'role' command; grant it"):
                await StoreWriter(client).read_heads()


async def test_no_sentinel_is_an_outage(redis_url: str) -> None:
    """It says what became of each sentinel; a sentinel that does not know the service is none."""
    async with sentinel_that_names() as silent:
        url = f"redis+sentinel://{silent},127.0.0.1:{free_port()}/stats"
        async with aclosing(create_writer_client(url, False)) as client:
            with pytest.raises(StoreUnavailableError, match=r"no sentinel names .* no answer in time; .*Connect"):
                await StoreWriter(client).read_heads()


@pytest.mark.parametrize("login", ["stats:s3cr3t@", ""])
async def test_login_is_for_sentinels_that_want_one(redis_flushed: str, tmp_path: Path, login: str) -> None:
    """The user of Redis is that of the sentinel; without one the sentinel refuses us."""
    port, primary = free_port(), urlsplit(redis_flushed).port
    rules = "+sentinel|get-master-addr-by-name"
    child = start_sentinel(
        redis_program(),
        port,
        tmp_path / "sentinel",
        f"sentinel monitor stats 127.0.0.1 {primary} 1",
        f"user stats on >s3cr3t ~* &* -@all {rules}",
        "user default on nopass ~* &* -@all +ping",
    )
    async with Redis.from_url(redis_flushed) as admin:
        await acl(admin, "SETUSER", "stats", "on", ">s3cr3t", "~*", "+@all")
        try:
            async with aclosing(
                create_writer_client(f"redis+sentinel://{login}127.0.0.1:{port}/stats", False)
            ) as client:
                if login:
                    await Store(client).apply([event(1)])
                else:
                    with pytest.raises(StoreDeniedError, match="grant"):
                        await StoreWriter(client).read_heads()
        finally:
            await acl(admin, "DELUSER", "stats")
            child.stop()
