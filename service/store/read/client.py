"""The Redis client of readers, which may repeat a command, and the store that the API reads with it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from service.store.errors import StoreUnavailableError
from service.store.read.reader import RedisStatisticsStore
from service.store.read.watched import LOOK_SECONDS, WatchedStore
from service.store.redis.client import Client, create_client
from service.store.redis.pool import Pool

_READ_TIMEOUT_SECONDS = 2.0
_READ_CONNECTIONS = 32
# A question that was asked before is answered from what was read so long ago at most: far less than an event takes
# to get here, but thousands of questions a second share one look.
_REMEMBERED_SECONDS = 0.005


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


def create_reader_client(url: str, cluster: bool, timeout_seconds: float = _READ_TIMEOUT_SECONDS) -> Client:
    """A client for reads, which may be repeated: once, quickly."""
    once = Retry(ExponentialWithJitterBackoff(base=0.01, cap=0.1), 1)
    return create_client(_ReadingRedis, url, cluster, once, timeout_seconds, _READ_CONNECTIONS)


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
