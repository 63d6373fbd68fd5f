"""An empty store for each test of a command."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from service.runtime.settings import ConsumerSettings
from service.store.redis.client import create_writer_client
from tests.store.support import Store


@pytest.fixture
async def store(redis_flushed: str) -> AsyncIterator[Store]:
    """An empty store."""
    client = create_writer_client(redis_flushed, cluster=False)
    yield Store(client)
    await client.aclose()


@pytest.fixture
def client(store: Store) -> Redis:
    """The store's Redis."""
    assert isinstance(store.client, Redis)
    return store.client


@pytest.fixture
def settings(redis_flushed: str) -> ConsumerSettings:
    """Settings of commands that need no Kafka."""
    return ConsumerSettings.model_validate({"redis_url": redis_flushed})
