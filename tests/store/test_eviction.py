"""A Redis that would throw counters away is not relied upon."""

import logging
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis, RedisCluster

from deploy.local.servers import free_port
from deploy.local.waiting import eventually
from service.store.contract import StatisticsStore
from service.store.errors import EvictionError, StoreUnavailableError
from service.store.read.client import create_reader_store
from service.store.redis.client import create_writer_client
from service.store.redis.eviction import check_eviction
from tests.store.support import Store, ask, event


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
    caplog.set_level(logging.WARNING, "service.store.redis.eviction")
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


async def test_store_is_not_read_while_redis_evicts(
    server: Redis, redis_flushed: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A policy that is set while the API runs is noticed, said once, and once it is mended answers go on."""
    caplog.set_level(logging.WARNING, "service.store.read.watched")
    await Store(server).apply([event(1)])
    async with create_reader_store(redis_flushed, cluster=False) as store:
        before = await store.read("project", None, None, None)
        await server.config_set("maxmemory-policy", "allkeys-lfu")
        for _ in range(3):
            await store.look()
        for attempt in (store.read("project", None, None, None), store.read("project", 1, 2, "user"), store.ping()):
            with pytest.raises(StoreUnavailableError, match="allkeys-lfu"):
                await attempt
        for query in (("project", None, None, None), ("project", 1, None, None)):  # remembered, and held
            with pytest.raises(StoreUnavailableError, match="allkeys-lfu"):
                await ask(store, query)
        await server.config_set("maxmemory-policy", "volatile-lru")
        await store.look()
        await store.ping()
        assert await store.read("project", None, None, None) == before
    assert [message.split(":")[0] for message in caplog.messages] == [
        "requests get 503 until this is mended",
        "Redis does not evict keys any more; requests are answered again",
    ]


async def test_store_looks_by_itself(server: Redis, redis_flushed: str) -> None:
    """At the start, and again and again afterwards."""
    await server.config_set("maxmemory-policy", "allkeys-lru")
    async with create_reader_store(redis_flushed, cluster=False, look_seconds=0.01) as store:
        with pytest.raises(StoreUnavailableError, match="allkeys-lru"):
            await store.ping()
        await server.config_set("maxmemory-policy", "noeviction")
        await eventually(lambda: is_there(store), "the store is read again")
        await server.config_set("maxmemory-policy", "allkeys-lru")
        await eventually(lambda: is_away(store), "the store is not read any more")


async def is_there(store: StatisticsStore) -> bool:
    """Whether the store answers."""
    try:
        await store.ping()
    except StoreUnavailableError:
        return False
    return True


async def is_away(store: StatisticsStore) -> bool:
    """Whether the store says that it is not available."""
    return not await is_there(store)


async def test_store_of_a_redis_that_does_not_say_is_read(
    server: Redis, redis_flushed: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where INFO is forbidden one line says so, however often it is asked for."""
    await server.acl_setuser("blind", enabled=True, nopass=True, categories=["+@all"], commands=["-info"], keys=["*"])
    async with create_reader_store(redis_flushed.replace("redis://", "redis://blind:any@"), cluster=False) as store:
        for _ in range(3):
            await store.look()
        await store.ping()
    await server.acl_deluser("blind")
    assert len(caplog.messages) == 1
