"""An empty store for each test, reached as a consumer reaches it, and servers of a test's own."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from service.store.redis.client import create_writer_client
from tests.store.pair import Pair
from tests.store.support import Store


@pytest.fixture
def key_prefix() -> str | None:
    """What the keys of the store begin with: nothing, unless a module says otherwise."""
    return None


@pytest.fixture
async def client(redis_flushed: str, key_prefix: str | None) -> AsyncIterator[Redis]:
    """A writer's client of an empty Redis."""
    client = create_writer_client(redis_flushed, cluster=False, key_prefix=key_prefix)
    assert isinstance(client, Redis)
    yield client
    await client.aclose(close_connection_pool=True)


@pytest.fixture
async def flush(redis_url: str) -> AsyncIterator[Callable[[], Awaitable[object]]]:
    """Empties the Redis, which a client with a prefix does not: `await flush()`."""
    async with Redis.from_url(redis_url) as admin:
        yield admin.flushdb


@pytest.fixture
def store(client: Redis) -> Store:
    """An empty store."""
    return Store(client)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """A primary and its replica."""
    pair = Pair(tmp_path)
    yield pair
    pair.stop()
