"""Connections that a firewall or a proxy has forgotten: they are silent for ever, while new ones are answered."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from service.store.errors import StoreUnavailableError
from service.store.layout.keys import head_key, stripe_of
from service.store.read.client import create_reader_client
from service.store.read.reader import RedisStatisticsStore
from service.store.redis.client import create_writer_client
from service.store.redis.views import Client
from tests.redis_cluster import empty_cluster
from tests.store.proxy import Proxy, running_proxy
from tests.store.support import Event, Store, assert_equals_oracle, event

CONNECTIONS = 8
EVENTS: list[Event] = [event(n) for n in range(3)]
WHOLE = [("project", None, None, None)]


@pytest.fixture
async def proxy(redis_flushed: str) -> AsyncIterator[Proxy]:
    """The way to a single Redis."""
    async with running_proxy(redis_flushed) as proxy:
        yield proxy


@pytest.fixture
async def cluster_proxy(redis_cluster_url: str) -> AsyncIterator[Proxy]:
    """The way to a cluster whose only node says that it is at the proxy's port."""
    empty_cluster(redis_cluster_url)
    async with running_proxy(redis_cluster_url) as proxy, Redis.from_url(redis_cluster_url) as admin:
        await admin.config_set("cluster-announce-port", proxy.port)
        yield proxy
        await admin.config_set("cluster-announce-port", 0)


async def fill(client: Client) -> None:
    """Writes the events."""
    await Store(client).apply(EVENTS)
    await client.aclose()


async def one_question_finds_out(proxy: Proxy, reading: Client) -> None:
    """With many connections forgotten, the question that meets one fails, and no other one after it."""
    store = Store(reading)
    store.reader = RedisStatisticsStore(reading)
    await assert_equals_oracle(store, EVENTS, WHOLE)
    head = head_key(stripe_of("project"))
    await asyncio.gather(*[reading.get(head) for _ in range(CONNECTIONS)])  # at once, so each takes one of its own
    proxy.forget()
    with pytest.raises(StoreUnavailableError):
        await store.body("project")
    for _ in range(CONNECTIONS):
        await assert_equals_oracle(store, EVENTS, WHOLE)
        assert await asyncio.gather(*[reading.get(head) for _ in range(CONNECTIONS)])
    await reading.aclose()


async def test_connections_of_a_single_redis_are_forgotten(proxy: Proxy, redis_url: str) -> None:
    """All are dialled again once one was silent for the time that a read has."""
    await fill(create_writer_client(redis_url, cluster=False))
    await one_question_finds_out(proxy, create_reader_client(proxy.url, cluster=False, limit_seconds=0.3))


async def test_connections_of_a_node_are_forgotten(cluster_proxy: Proxy) -> None:
    """Likewise those of a cluster's node."""
    await fill(create_writer_client(cluster_proxy.url, cluster=True))
    await one_question_finds_out(
        cluster_proxy, create_reader_client(cluster_proxy.url, cluster=True, limit_seconds=0.3)
    )
