"""Opens the Redis client that the settings name, for the process and for commands."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from service.runtime.settings import CommonSettings
from service.store.redis.client import create_writer_client
from service.store.redis.views import Client


@asynccontextmanager
async def store_client(settings: CommonSettings) -> AsyncIterator[Client]:
    """Yields a client that sends each command once, and closes it when the block ends; connects to nothing yet."""
    client = create_writer_client(
        settings.redis_url,
        settings.redis_cluster,
        cafile=settings.redis_cafile,
        key_prefix=settings.redis_key_prefix,
    )
    async with aclosing(client):
        yield client
