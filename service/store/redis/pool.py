"""Connections that are dialled again once a server says that it is not the one: that it is a replica, or still loading.

An address leads to another server after a failover, while the one that was demoted may keep its connections. Nothing
but to dial again finds out, and all connections of a pool are as old as the first that was told.
"""

from typing import Any

from redis.asyncio import BlockingConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import BusyLoadingError, ClusterDownError, MasterDownError, ReadOnlyError, ResponseError

_ELSEWHERE = (ReadOnlyError, BusyLoadingError, MasterDownError, ClusterDownError)
_ELSEWHERE_WORDS = ("NOREPLICAS", "MISCONF")  # the client library has no types for these


def is_elsewhere(error: BaseException) -> bool:
    """Tells whether an error may mean that the commands belong to another server than the one that replied."""
    return isinstance(error, _ELSEWHERE) or (
        isinstance(error, ResponseError) and str(error).startswith(_ELSEWHERE_WORDS)
    )


class Pool(BlockingConnectionPool):
    """A pool that waits for a free connection where the usual one would raise at once, and can renew all of them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.connection_class = _attentive(self.connection_class)
        self._age = 0

    def renew(self) -> None:
        """Has each connection dialled again before it is used for another command."""
        self._age += 1

    def make_connection(self) -> Any:
        """Returns a connection that is not connected yet."""
        connection: Any = super().make_connection()  # type: ignore[no-untyped-call]
        connection.renew_all, connection.age = self.renew, self._age
        return connection

    async def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> Any:
        """Returns a connection for the next command, to be released. Raises what the client raises."""
        connection = await super().get_connection()  # type: ignore[no-untyped-call]
        try:
            await self.freshen(connection)
        except BaseException:
            await self.release(connection)
            raise
        return connection

    async def freshen(self, connection: Any) -> None:
        """Dials a connection again if it is older than the last renewal."""
        if connection.age != self._age:
            connection.age = self._age
            await connection.disconnect(nowait=True)
            await connection.connect()


class _Attentive(AbstractConnection):
    """A connection that tells its pool when the server is not the one."""

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Returns the next reply, or raises it."""
        try:
            return await super().read_response(*args, **options)
        except Exception as error:
            if is_elsewhere(error):
                self.renew_all()  # type: ignore[attr-defined] # set by the pool
            raise


def _attentive(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    """Returns a class of connections of this kind - plain, TLS - that are attentive."""
    return type(f"Attentive{kind.__name__}", (_Attentive, kind), {})
