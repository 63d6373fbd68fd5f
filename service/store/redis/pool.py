"""A connection pool that reconnects once a server says that it cannot serve: that it is a replica, or still loading.

After a failover an address leads to another server, while the demoted one may keep its connections. Only a new
connection leads to the new server. When one connection gets such a reply, all connections of the pool are renewed.

A firewall or a proxy that forgets a connection has mostly forgotten the others too, and each would cost another command
its time. So when one gets no reply in time, those are renewed that have heard nothing meanwhile either.
"""

import asyncio
import time
from typing import Any

from redis.asyncio import BlockingConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import BusyLoadingError, ClusterDownError, MasterDownError, ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

_ELSEWHERE = (ReadOnlyError, BusyLoadingError, MasterDownError, ClusterDownError)
_ELSEWHERE_WORDS = ("NOREPLICAS", "MISCONF")  # the client library has no types for these


def is_elsewhere(error: BaseException) -> bool:
    """Tells whether an error may mean that commands should go to another server than the one that replied."""
    return isinstance(error, _ELSEWHERE) or (
        isinstance(error, ResponseError) and str(error).startswith(_ELSEWHERE_WORDS)
    )


class Pool(BlockingConnectionPool):
    """A pool that waits for a free connection, where redis-py's usual pool raises at once, and can renew them all."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.connection_class = _attentive(self.connection_class)
        self._age = 0
        self._doubted_seconds = 0.0

    def doubt(self, since_seconds: float) -> None:
        """Makes each connection that has heard nothing since then reconnect before its next command."""
        self._doubted_seconds = max(self._doubted_seconds, since_seconds)

    def renew(self) -> None:
        """Makes each connection reconnect before its next command."""
        self._age += 1

    def make_connection(self) -> Any:
        """Returns a new connection that is not connected yet. redis-py calls it."""
        connection: Any = super().make_connection()  # type: ignore[no-untyped-call]
        connection.pool, connection.age = self, self._age
        return connection

    async def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> Any:
        """Returns a connection for one command; the caller releases it. Raises what the client raises."""
        connection = await super().get_connection()  # type: ignore[no-untyped-call]
        try:
            await self.freshen(connection)
        except BaseException:
            await self.release(connection)
            raise
        return connection

    async def freshen(self, connection: Any) -> None:
        """Reconnects a connection if it is older than the last renewal, or is doubted."""
        if connection.age != self._age or connection.heard_seconds < self._doubted_seconds:
            connection.age = self._age
            await connection.disconnect(nowait=True)
            await connection.connect()


class _Attentive(AbstractConnection):
    """A connection that has its pool renewed when the server replies that it cannot serve, or not in time."""

    pool: Pool

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Returns the next reply; raises a reply that is an error, and what the connection raises."""
        asked_seconds = time.monotonic()
        try:
            return await super().read_response(*args, **options)
        except Exception as error:
            if is_elsewhere(error):
                self.pool.renew()
            if isinstance(error, RedisTimeoutError):
                self.pool.doubt(asked_seconds)
            raise
        except asyncio.CancelledError:  # by a limit of time
            self.pool.doubt(asked_seconds)
            raise


def _attentive(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    """Returns a class of connections of this kind (plain, TLS) that are also _Attentive."""
    return type(f"Attentive{kind.__name__}", (_Attentive, kind), {})
