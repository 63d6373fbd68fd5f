"""A Redis that would throw counters away is not relied upon."""

import logging
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis, RedisCluster

from deploy.local.servers import free_port
from service.store.client import create_writer_client
from service.store.contract import EvictionError, StoreUnavailableError
from service.store.eviction import check_eviction


@pytest.fixture
async def server(client: Redis) -> AsyncIterator[Redis]:
    """A client to a Redis whose policy a test may set; as it was in the end."""
    yield client
    await client.config_set("maxmemory-policy", "noeviction")


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
async def test_policy_that_evicts_any_key_is_refused(server: Redis, policy: str) -> None:
    """The error names the policy."""
    await server.config_set("maxmemory-policy", policy)
    with pytest.raises(EvictionError, match=policy):
        await check_eviction(server)


@pytest.mark.parametrize("policy", ["noeviction", "volatile-lru", "volatile-ttl"])
async def test_policy_that_keeps_our_keys_is_fine(server: Redis, policy: str) -> None:
    """No key of ours has an expiry, so only those policies matter that need none."""
    await server.config_set("maxmemory-policy", policy)
    await check_eviction(server)


async def test_primary_of_a_cluster_is_asked(redis_cluster_url: str) -> None:
    """One primary with such a policy is enough."""
    cluster = create_writer_client(redis_cluster_url, cluster=True)
    assert isinstance(cluster, RedisCluster)
    async with Redis.from_url(redis_cluster_url) as admin:
        await check_eviction(cluster)
        await admin.config_set("maxmemory-policy", "allkeys-lru")
        try:
            with pytest.raises(EvictionError, match="allkeys-lru"):
                await check_eviction(cluster)
        finally:
            await admin.config_set("maxmemory-policy", "noeviction")
            await cluster.aclose()


async def test_redis_that_does_not_say_is_relied_upon(
    server: Redis, redis_flushed: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where INFO is forbidden the process starts, and says that it could not tell."""
    caplog.set_level(logging.WARNING, "service.store.eviction")
    await server.acl_setuser("blind", enabled=True, nopass=True, categories=["+@all"], commands=["-info"], keys=["*"])
    blind = create_writer_client(redis_flushed.replace("redis://", "redis://blind:any@"), cluster=False)
    assert isinstance(blind, Redis)
    await check_eviction(blind)
    await blind.aclose(close_connection_pool=True)
    await server.acl_deluser("blind")
    assert caplog.messages == ["Redis does not say whether it evicts keys: its user may not run INFO"]


async def test_redis_that_is_away_cannot_say() -> None:
    """It is asked again later."""
    away = create_writer_client(f"redis://127.0.0.1:{free_port()}/0", cluster=False)
    with pytest.raises(StoreUnavailableError, match="eviction policy"):
        await check_eviction(away)
    await away.aclose()
