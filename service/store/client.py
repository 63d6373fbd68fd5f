"""Redis clients. A writer never repeats a command by itself; a reader may, and waits for a free connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.maint_notifications import MaintNotificationsConfig

from service.store.cluster import Cluster
from service.store.connections import Pool
from service.store.contract import StoreUnavailableError
from service.store.reader import RedisStatisticsStore
from service.store.watched import LOOK_SECONDS, WatchedStore

Client = Redis | RedisCluster

_CONNECT_TIMEOUT_SECONDS = 2.0
_READ_TIMEOUT_SECONDS = 2.0
_WRITE_TIMEOUT_SECONDS = 10.0  # many times the longest script
_READ_CONNECTIONS = 32
# A question that was asked before is answered from what was read so long ago at most: far less than an event takes
# to get here, but thousands of questions a second share one look.
_REMEMBERED_SECONDS = 0.005
_WRITE_CONNECTIONS = 64

# What both share: the older protocol, whose replies the parsers expect, and no notices of a managed service.
_COMMON: dict[str, Any] = {
    "protocol": 2,
    "decode_responses": False,
    "socket_connect_timeout": _CONNECT_TIMEOUT_SECONDS,
    "socket_keepalive": True,
}


class _ReadingRedis(Redis):
    """A client whose MGET keeps a connection of its own.

    To borrow one from the pool for each command, and what else surrounds it, costs more than the rest of a round trip.
    """

    connection_pool: Pool
    _kept: Any = None

    async def mget(self, keys: Any, *args: Any) -> Any:
        """The strings of these keys; asked once more if the connection turns out to be of no use."""
        try:
            return await self._mget([*keys, *args])
        except (RedisConnectionError, RedisTimeoutError):
            return await self._mget([*keys, *args])

    async def _mget(self, keys: list[Any]) -> Any:
        # while it is in use it is nobody's: what comes meanwhile takes another
        connection, self._kept = self._kept, None
        if connection is None:
            connection = await self.connection_pool.get_connection()
        try:
            await self.connection_pool.freshen(connection)
            await connection.send_command("MGET", *keys)
            return await connection.read_response()
        finally:  # after a failure it is disconnected, and connects again when it is next used
            if self._kept is None:
                self._kept = connection
            else:
                await self.connection_pool.release(connection)


def create_writer_client(url: str, cluster: bool) -> Client:
    """A client that sends each command once: whether to repeat it is for the caller, who knows what it would do."""
    return _create(Redis, url, cluster, Retry(NoBackoff(), 0), _WRITE_TIMEOUT_SECONDS, _WRITE_CONNECTIONS)


def create_reader_client(url: str, cluster: bool) -> Client:
    """A client for reads, which may be repeated: once, quickly."""
    once = Retry(ExponentialWithJitterBackoff(base=0.01, cap=0.1), 1)
    return _create(_ReadingRedis, url, cluster, once, _READ_TIMEOUT_SECONDS, _READ_CONNECTIONS)


def _create(  # noqa: PLR0913, PLR0917 - what a client is made of
    kind: type[Redis], url: str, cluster: bool, retry: Retry, timeout_seconds: float, connections: int
) -> Client:
    options = {**_COMMON, "socket_timeout": timeout_seconds, "retry": retry, "max_connections": connections}
    if cluster:
        return Cluster.from_url(url, **{**options, "max_connections": 2 * connections})
    pool = Pool.from_url(
        url, timeout=timeout_seconds, maint_notifications_config=MaintNotificationsConfig(enabled=False), **options
    )
    return kind.from_pool(pool)


@asynccontextmanager
async def create_reader_store(
    url: str, cluster: bool, look_seconds: float = LOOK_SECONDS
) -> AsyncIterator[WatchedStore]:
    """The store that the API reads, watched from the beginning, and closed at the end."""
    client = create_reader_client(url, cluster)
    store = WatchedStore(RedisStatisticsStore(client, _REMEMBERED_SECONDS), client)
    with suppress(StoreUnavailableError):  # the first who asks hears of it
        await store.look()
    stopped = asyncio.Event()
    watching = asyncio.create_task(store.run(stopped, look_seconds))
    try:
        yield store
    finally:
        stopped.set()
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await client.aclose()
