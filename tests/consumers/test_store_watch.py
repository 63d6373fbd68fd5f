"""The server of the store is looked at while a consumer runs: it may begin to evict keys, and its time is the time."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from consumers.upkeep.store_watch import Memories, StoreWatch
from deploy.local.servers import free_port
from deploy.local.waiting import eventually
from service.runtime.tasks import cancel
from service.store.errors import EvictionError, StoreUnavailableError
from service.store.redis.client import create_writer_client
from service.store.redis.clock import StoreClock, system_now_ms


@pytest.fixture
async def redis(redis_flushed: str) -> AsyncIterator[Redis]:
    """A client; the policy of its server is as it was in the end."""
    async with Redis.from_url(redis_flushed) as client:
        yield client
        await client.config_set("maxmemory-policy", "noeviction")


async def test_a_policy_that_begins_to_evict_ends_the_watch(redis: Redis) -> None:
    """A consumer ends with it, as it does where the policy is so at start."""
    watching = asyncio.create_task(StoreWatch(redis, StoreClock(redis), 0.01).run())
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(EvictionError, match="allkeys-lru"):
        await watching


async def test_memory_is_heard_of_at_each_look_and_forgotten_with_the_server(redis: Redis) -> None:
    """What was said by a server that does not answer any more says nothing of now."""
    heard: list[Memories] = []
    watch = StoreWatch(redis, StoreClock(redis), note_memory=heard.append)
    await watch.look()
    assert heard[0][0]["used_memory"] > 0
    away = create_writer_client(f"redis://127.0.0.1:{free_port()}/0", cluster=False)
    with pytest.raises(StoreUnavailableError):
        await replace(watch, client=away).look()
    await away.aclose()
    assert heard[1:] == [()]


@pytest.mark.parametrize("lead_ms", [3_600_000, 0, -3_600_000])
async def test_a_clock_that_is_ahead_is_set_by_the_store(redis: Redis, lead_ms: int) -> None:
    """A clock that is behind stays as it is: what it says of the past is true."""
    clock = StoreClock(redis, lambda: system_now_ms() + lead_ms)
    watching = asyncio.create_task(StoreWatch(redis, clock, 0.01).run())
    await eventually(lambda: clock.now_ms() <= system_now_ms() + 1, "the clock is not ahead")
    assert clock.now_ms() >= system_now_ms() + min(lead_ms, 0) - 1_000
    await cancel([watching])
