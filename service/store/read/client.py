"""Creates the Redis client of readers, which may repeat a command, and the store that the API reads with it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from opentelemetry.trace import Tracer
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from service.runtime.tasks import cancel
from service.store.errors import StoreUnavailableError
from service.store.read.cache_bytes import DEFAULT_CACHE_BYTES
from service.store.read.metrics import QueryMetrics
from service.store.read.reader import RedisStatisticsStore
from service.store.read.traced import TracedStatisticsStore
from service.store.read.watched import LOOK_SECONDS, WatchedStore
from service.store.redis.client import create_client
from service.store.redis.pool import Pool
from service.store.redis.views import Client

READ_SECONDS = 1.0  # that a read may take, with all attempts and redirections
_READ_CONNECTIONS = 32


class _ReadingRedis(Redis):
    """A client whose commands take `limit_seconds` at most, and whose MGET keeps a connection between commands.

    To borrow one from the pool for each command, with all that redis-py does around it, costs more than the rest of a
    round trip. So do timeouts of its own for sending and for receiving: one covers all that a command waits for.
    """

    connection_pool: Pool
    limit_seconds = READ_SECONDS
    _kept: Any = None

    async def mget(self, keys: Any, *args: Any) -> Any:
        """Returns the strings of these keys. It sends the command once more if the connection has failed."""
        try:
            async with asyncio.timeout(self.limit_seconds):
                try:
                    return await self._mget([*keys, *args])
                except (RedisConnectionError, RedisTimeoutError):
                    return await self._mget([*keys, *args])
        except TimeoutError as error:
            raise self._overdue() from error

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Returns the reply to a command. Raises what the client raises."""
        try:
            async with asyncio.timeout(self.limit_seconds):
                return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except TimeoutError as error:
            raise self._overdue() from error

    def _overdue(self) -> RedisTimeoutError:
        return RedisTimeoutError(f"no answer within {self.limit_seconds:g} s")

    async def _mget(self, keys: list[Any]) -> Any:
        # a connection in use is not kept: a command that comes meanwhile takes another one
        connection, self._kept = self._kept, None
        if connection is None:
            connection = await self.connection_pool.get_connection()
        try:
            await self.connection_pool.freshen(connection)
            await connection.send_command("MGET", *keys)
            return await connection.read_response()
        finally:  # after a failure the connection is disconnected, and connects again when it is next used
            if self._kept is None:
                self._kept = connection
            else:
                await self.connection_pool.release(connection)


def create_reader_client(
    url: str,
    cluster: bool,
    limit_seconds: float = READ_SECONDS,
    *,
    cafile: str | None = None,
    key_prefix: str | None = None,
) -> Client:
    """Returns a client for reads, made as `create_writer_client` says: it sends a command that fails once more.

    A command takes `limit_seconds` at most, with both attempts.
    """
    twice = Retry(ExponentialWithJitterBackoff(base=0.01, cap=0.1), 1)
    client = create_client(
        _ReadingRedis, url, cluster, twice, limit_seconds, None, _READ_CONNECTIONS, cafile, key_prefix
    )
    if isinstance(client, _ReadingRedis):
        client.limit_seconds = limit_seconds
    return client


@asynccontextmanager
async def create_reader_store(  # noqa: PLR0913 - settings, each by its name
    url: str,
    cluster: bool,
    look_seconds: float = LOOK_SECONDS,
    *,
    cafile: str | None = None,
    key_prefix: str | None = None,
    metrics: QueryMetrics | None = None,
    tracer: Tracer | None = None,
    cache_bytes: int = DEFAULT_CACHE_BYTES,
) -> AsyncIterator[WatchedStore]:
    """Yields the store that the API reads, watched from the beginning; ends the watch and closes the client at the end.

    It remembers up to `cache_bytes` of what it has read and answered.
    The program enters it at its start, also while Redis cannot be reached.
    """
    client = create_reader_client(url, cluster, cafile=cafile, key_prefix=key_prefix)
    create = RedisStatisticsStore if tracer is None else partial(TracedStatisticsStore, tracer)
    store = WatchedStore(create(client, cache_bytes=cache_bytes), client, metrics)
    with suppress(StoreUnavailableError):  # the first question or ping raises it again
        await store.look()
    watching = asyncio.create_task(store.run(look_seconds))
    try:
        yield store
    finally:
        await cancel([watching])
        with suppress(asyncio.CancelledError):
            await watching
        await client.aclose()
