"""Redis clients. A writer never repeats a command by itself; a reader may, and waits for a free connection."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from service.store.reader import RedisStatisticsStore

Client = Redis | RedisCluster

_CONNECT_TIMEOUT_SECONDS = 2.0
_READ_TIMEOUT_SECONDS = 2.0
_WRITE_TIMEOUT_SECONDS = 10.0  # many times the longest script
_READ_CONNECTIONS = 32
_WRITE_CONNECTIONS = 64

# What both share: the older protocol, whose replies the parsers expect, and no notices of a managed service.
_COMMON: dict[str, Any] = {
    "protocol": 2,
    "decode_responses": False,
    "socket_connect_timeout": _CONNECT_TIMEOUT_SECONDS,
    "socket_keepalive": True,
}


def create_writer_client(url: str, cluster: bool) -> Client:
    """A client that sends each command once: whether to repeat it is for the caller, who knows what it would do."""
    return _create(url, cluster, Retry(NoBackoff(), 0), _WRITE_TIMEOUT_SECONDS, _WRITE_CONNECTIONS)


def create_reader_client(url: str, cluster: bool) -> Client:
    """A client for reads, which may be repeated: once, quickly."""
    once = Retry(ExponentialWithJitterBackoff(base=0.01, cap=0.1), 1)
    return _create(url, cluster, once, _READ_TIMEOUT_SECONDS, _READ_CONNECTIONS)


def _create(url: str, cluster: bool, retry: Retry, timeout_seconds: float, connections: int) -> Client:
    options = {**_COMMON, "socket_timeout": timeout_seconds, "retry": retry, "max_connections": connections}
    if cluster:
        return RedisCluster.from_url(url, **options)
    # waits for a free connection, where the usual pool would raise at once
    pool = BlockingConnectionPool.from_url(
        url, timeout=timeout_seconds, maint_notifications_config=MaintNotificationsConfig(enabled=False), **options
    )
    return Redis.from_pool(pool)


@asynccontextmanager
async def create_reader_store(url: str, cluster: bool) -> AsyncIterator[RedisStatisticsStore]:
    """The store that the API reads, closed at the end."""
    client = create_reader_client(url, cluster)
    try:
        yield RedisStatisticsStore(client)
    finally:
        await client.aclose()
