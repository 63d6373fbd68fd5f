"""What is wrong with a batch is told apart from what Redis cannot do at the moment."""

import pytest
from redis.asyncio import Redis

from service.store.errors import RefusedError, StoreUnavailableError
from service.store.layout.keys import project_prefix
from service.store.redis.client import create_writer_client
from tests.store.support import Store, event, everything

PREFIX = project_prefix("project")


async def test_string_that_the_script_cannot_read_refuses_the_batch(store: Store) -> None:
    """A fault of the script over a broken string is a refusal of this project's batch, not a Redis that is away."""
    assert isinstance(store.client, Redis)
    await store.apply([event(job, start_time_ms=1) for job in range(200)])
    await store.client.set(f"{PREFIX}m", b"too short")
    before = await everything(store.client)
    with pytest.raises(RefusedError, match="project project: FAULT user_script"):
        await store.apply([event(0, start_time_ms=1, sequence=2)])
    assert await everything(store.client) == before


async def test_command_that_redis_forbids_is_no_refusal(store: Store, redis_flushed: str) -> None:
    """An error within the script that says nothing about the batch means that the store is not usable now."""
    assert isinstance(store.client, Redis)
    await store.client.acl_setuser(
        "writer", enabled=True, nopass=True, categories=["+@all"], commands=["-hget"], keys=["*"]
    )
    client = create_writer_client(redis_flushed.replace("redis://", "redis://writer:any@"), cluster=False)
    assert isinstance(client, Redis)
    try:
        with pytest.raises(StoreUnavailableError, match="user executing the script"):
            await Store(client).apply([event()])
    finally:
        await client.aclose(close_connection_pool=True)
        await store.client.acl_deluser("writer")
