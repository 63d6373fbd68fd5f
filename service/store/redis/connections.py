"""Connections to Redis whose TLS context is made once, and those that sentinels lead to the primary.

redis-py makes a context for each connection, which reads files and blocks the event loop. Its pool for sentinels does
not wait for a free connection, and takes a sentinel's word that a server is the primary: one that was cut off from the
others names a server that was demoted meanwhile. Here each new connection asks the server itself (`ROLE`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from ssl import SSLContext
from typing import Any

from hiredis import pack_command
from redis.asyncio.connection import Connection
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError

from service.store.redis.key_prefix import with_prefix
from service.store.redis.lookups import Lookups

Address = tuple[str, int]

_SENTINEL_SECONDS = 0.3  # a sentinel that takes longer is passed over
_HANDSHAKE_SHARE = 0.7  # of the time that connecting may take


class TlsConnection(Connection):
    """A connection over TLS if there is a context for it, else a plain one.

    It says what it may mean if the server ends the connection at once, or does not answer TLS. The names of keys in the
    commands that it sends get `key_prefix`. `lookups` are those of all connections of its client. `heard_seconds` is
    the monotonic time of the last reply.
    """

    heard_seconds = 0.0

    def __init__(
        self,
        *,
        socket_connect_timeout: float,
        lookups: Lookups,
        tls: SSLContext | None = None,
        key_prefix: str = "",
        **options: Any,
    ) -> None:
        super().__init__(socket_connect_timeout=socket_connect_timeout, **options)
        self._lookups = lookups
        self._tls = tls
        self._key_prefix = key_prefix
        self._handshake_seconds = _HANDSHAKE_SHARE * socket_connect_timeout

    def pack_command(self, *args: Any) -> list[bytes]:
        """Returns a command as it is sent; redis-py calls it for each command, also for those of a transaction."""
        words = with_prefix(self._key_prefix, args) if self._key_prefix else args
        try:  # redis-py's own loop takes three times as long; as it does, this splits names that have two words
            return [pack_command((*words[0].split(), *words[1:]))]
        except TypeError:  # a memoryview, say, or what cannot be sent
            packed: list[bytes] = super().pack_command(*words)
            return packed

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Returns the next reply; redis-py calls it. Raises what the client raises."""
        reply = await super().read_response(*args, **options)
        self.heard_seconds = time.monotonic()
        return reply

    def _connection_arguments(self) -> Mapping[str, Any]:
        tls: Mapping[str, Any] = {}
        if self._tls is not None:
            # given up before the whole of connecting is, and so told from a host that is away
            tls = {"ssl": self._tls, "ssl_handshake_timeout": self._handshake_seconds}
        return {**super()._connection_arguments(), **tls}

    async def _connect(self) -> None:
        async with asyncio.timeout(self.socket_connect_timeout):
            await self._lookups.join(self.host)
        try:
            await super()._connect()  # type: ignore[no-untyped-call]
        except ConnectionAbortedError as error:  # so asyncio says that a handshake takes too long
            text = f"{self.host}:{self.port} does not answer TLS: it may speak no TLS at this port"
            raise RedisConnectionError(text) from error

    async def on_connect_check_health(self, check_health: bool = True) -> None:
        """Logs in; redis-py calls it. Raises what the client raises."""
        try:
            await super().on_connect_check_health(check_health)
        except RedisConnectionError as error:
            if type(error) is not RedisConnectionError:  # a reply of the server
                raise
            # a server refuses a client's certificate after the handshake, and the reason is mostly lost with a reset
            wanted = "TLS (rediss://)" if self._tls is None else "another certificate of ours (ssl_certfile)"
            text = f"{self.host}:{self.port} ends connections at once, as it does if it wants {wanted}: {error}"
            raise RedisConnectionError(text) from error


class Sentinels:
    """Asks sentinels for the primary of a service, one after the other; the one that was right last is asked first.

    One that did not answer is asked last: a read has no time to wait for several of them each time.

    `options` are those of a connection to a sentinel. A sentinel gets the login of Redis only if it wants one.
    `on_new_primary` is called when another server has become the primary.
    """

    def __init__(
        self, hosts: Sequence[Address], service: str, login: Sequence[str], options: Mapping[str, Any]
    ) -> None:
        self._hosts = list(hosts)
        self._service = service
        self._login = login
        self._options = options
        self._primary: Address | None = None
        self.on_new_primary: Callable[[], None] = lambda: None

    async def lead(self, attempt: Callable[[str, int], Awaitable[None]]) -> None:
        """Calls `attempt` with the address that a sentinel names, and with that of the next sentinel if it fails.

        Raises the last error of `attempt`, or RedisConnectionError if no sentinel names any address.
        """
        tried: set[Address] = set()
        problems: list[str] = []
        problem: Exception | None = None
        failure: RedisError | None = None
        for sentinel in list(self._hosts):
            try:
                async with asyncio.timeout(_SENTINEL_SECONDS):
                    address = await self._ask(*sentinel)
            except (RedisError, TimeoutError) as error:
                problem = error
                problems.append(f"{sentinel[0]}:{sentinel[1]}: {str(error) or 'no answer in time'}")
                self._ask_last(sentinel)
                continue
            if address in tried:
                continue
            tried.add(address)
            try:
                await attempt(*address)
            except RedisError as error:
                failure = error
                continue
            self._found(sentinel, address)
            return
        if failure is not None:
            raise failure
        raise RedisConnectionError(f"no sentinel names the primary: {'; '.join(problems)}") from problem

    def _ask_last(self, sentinel: Address) -> None:
        self._hosts.remove(sentinel)
        self._hosts.append(sentinel)

    def _found(self, sentinel: Address, address: Address) -> None:
        self._hosts.remove(sentinel)
        self._hosts.insert(0, sentinel)
        before, self._primary = self._primary, address
        if before not in {None, address}:
            self.on_new_primary()

    async def _ask(self, host: str, port: int) -> Address:
        connection = TlsConnection(host=host, port=port, socket_connect_timeout=_SENTINEL_SECONDS, **self._options)
        question = "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
            try:
                reply = await _call(connection, *question)
            except (AuthenticationError, NoPermissionError):
                if not self._login:
                    raise
                await _call(connection, "AUTH", *self._login)
                reply = await _call(connection, *question)
        finally:
            await connection.disconnect(nowait=True)
        if not reply:
            raise RedisConnectionError(f"knows no service {self._service}")
        return reply[0].decode(), int(reply[1])


class SentinelConnection(TlsConnection):
    """A connection to whichever server is the primary at the time that it is made."""

    def __init__(self, *, sentinels: Sentinels, **options: Any) -> None:
        super().__init__(**options)
        self._sentinels = sentinels

    async def connect_check_health(self, check_health: bool = True, retry_socket_connect: bool = True) -> None:
        """Connects, unless it is connected; redis-py calls it. Raises what the client raises."""

        async def attempt(host: str, port: int) -> None:
            self.host, self.port = host, port
            await super(SentinelConnection, self).connect_check_health(check_health, retry_socket_connect)
            try:
                await self._check_role()
            except BaseException:
                await self.disconnect(nowait=True)
                raise

        if not self.is_connected:
            await self._sentinels.lead(attempt)

    async def _check_role(self) -> None:
        """Raises RedisConnectionError if the server is no primary, and NoPermissionError if it may not be asked."""
        role = await _call(self, "ROLE")
        if role[0] != b"master":
            raise RedisConnectionError(f"{self.host}:{self.port} is a replica, and a sentinel names it as the primary")


async def _call(connection: Connection, *words: str) -> Any:
    await connection.send_command(*words, check_health=False)
    return await connection.read_response()
