"""A client of a Redis Cluster that follows slots while they are moved between servers, and waits no longer than it may.

It overrides what is inside of redis-py; beside it topology.py alone does. Read against version 8.1.0:
`tests/unit/test_redis_private.py` fails when the library changes what these modules rely on. Why the library's own
client will not do:

- After a failure all commands wait until it has asked for the slots again, also those of nodes that are well.
- It sends ASKING to a slot's new node on one connection and the command on another.
- It fails while it counts a redirection.
- It fails where many first commands are sent at once.
- Its transactions do not learn where a slot has gone, and take a slot that is being moved for one that has gone.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from ssl import SSLContext
from typing import Any

from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.connection import Connection
from redis.exceptions import (
    AskError,
    ClusterDownError,
    ClusterError,
    MovedError,
    ResponseError,
    SlotNotCoveredError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from service.store.redis.connections import TlsConnection
from service.store.redis.lookups import Lookups
from service.store.redis.topology import Topology, drop_connections, drop_silent_connections

_REDIRECTIONS = 16
_TRY_AGAIN_SECONDS = 0.05
_STALE = (RedisConnectionError, RedisTimeoutError, ClusterDownError, SlotNotCoveredError)
_SCRIPTS = frozenset({"EVAL", "EVALSHA"})


class Cluster(RedisCluster):
    """Sends each command to the node that has its slot. A redirected command was not run, so it sends it again.

    A command takes `limit_seconds` at most, with all redirections, and with all attempts where the client may repeat a
    command. It waits for the node of its slot alone: which node that is, is asked in the background.
    """

    def __init__(
        self,
        hosts: Sequence[tuple[str, int]],
        tls: SSLContext | None,
        limit_seconds: float,
        key_prefix: str = "",
        **options: Any,
    ) -> None:
        super().__init__(startup_nodes=[ClusterNode(host, port) for host, port in hosts], **options)
        self._limit_seconds = limit_seconds
        self._turns: dict[str, asyncio.Semaphore] = {}
        manager = self.nodes_manager
        manager.connection_kwargs |= {"connection_class": TlsConnection, "tls": tls, "key_prefix": key_prefix}
        manager.connection_kwargs["lookups"] = Lookups()
        given = [self._create_node(host, port, "primary") for host, port in hosts]
        self._topology = Topology(manager.nodes_cache, manager.slots_cache, given, self._create_node)

    async def initialize(self, *_: Any, **__: Any) -> "Cluster":
        """Asks for the nodes and their slots, unless they are known. Raises what the client raises."""
        if not self._topology.is_known:
            await self._topology.refreshed()
        self._initialize = False
        return self

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Returns the reply to a command whose first key says where it goes. Raises what the client raises.

        With `target_nodes`, and for commands without keys, it goes to the nodes that the library chooses.
        """
        async with self._limited():
            await self.initialize()
            if "target_nodes" in options or args[0] in self.command_flags:
                return await super().execute_command(*args, **options)

            async def send(node: ClusterNode, is_asking: bool) -> Any:
                return await (_ask(node, args, options) if is_asking else node.execute_command(*args, **options))

            return await self._follow(await self._determine_slot(*args), send)

    async def aclose(self) -> None:
        """Closes all connections, also where the client is to ask for the nodes again before its next command."""
        await self._topology.close()
        await super().aclose()

    async def transact(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """Runs commands of one slot in a transaction; returns the replies, with errors in the place of replies.

        Raises what the client raises.
        """
        async with self._limited():
            await self.initialize()
            slot = await self._determine_slot(*commands[0])

            async def send(node: ClusterNode, is_asking: bool) -> list[Any]:
                if is_asking:  # no transaction is sent to a node that is still getting the slot
                    raise TryAgainError(f"slot {slot} is being moved")
                return await _transact(node, commands)

            replies: list[Any] = await self._follow(slot, send)
        return replies

    @asynccontextmanager
    async def _limited(self) -> AsyncIterator[None]:
        """Raises RedisTimeoutError if its block takes longer than a command may."""
        try:
            async with asyncio.timeout(self._limit_seconds):
                yield
        except TimeoutError as error:
            self._topology.refresh()
            raise RedisTimeoutError(f"no answer within {self._limit_seconds:g} s") from error

    async def _determine_slot(self, command: str, *args: Any) -> int:
        """Returns the slot of a command's first key: the library would ask a node, which may hang, what are keys."""
        return int(self.keyslot(args[2] if command in _SCRIPTS else args[0]))

    async def _execute_command(self, target_node: ClusterNode, *args: Any, **options: Any) -> Any:
        """Returns a node's own reply; the library calls it."""
        asked_seconds = time.monotonic()
        try:
            async with self._turn(target_node):
                return await target_node.execute_command(*args, **options)
        except asyncio.CancelledError:
            await drop_silent_connections(target_node, asked_seconds)
            raise
        except _STALE:
            await self._note_failure(target_node)
            raise

    async def _follow(self, slot: int, send: Callable[[ClusterNode, bool], Awaitable[Any]]) -> Any:
        """Sends to the node that a slot was last known to be on, and then to each node that a redirection names."""
        topology = self._topology
        node, is_asking = topology.owner(slot), False
        repeats = self.retry.get_retries()
        cause: Exception | None = None
        for _ in range(_REDIRECTIONS):
            asked_seconds = time.monotonic()
            try:
                async with self._turn(node):
                    return await send(node, is_asking)
            except asyncio.CancelledError:  # by a limit of time
                await drop_silent_connections(node, asked_seconds)
                raise
            except MovedError as error:  # caught before AskError, since redis-py derives it from that
                node, is_asking = self._node(error, node), False
                topology.moved(slot, node)
                cause = error
            except AskError as error:
                node, is_asking = self._node(error, node), True
                cause = error
            except TryAgainError as error:  # of the command's keys some have been moved and some have not
                await asyncio.sleep(_TRY_AGAIN_SECONDS)
                node, is_asking = topology.owner(slot), False
                cause = error
            except _STALE:
                await self._note_failure(node)
                if not repeats:
                    raise
                repeats -= 1
                await topology.refreshed()
                node, is_asking = topology.owner(slot), False
        if isinstance(cause, TryAgainError):
            raise cause
        raise ClusterError(f"redirected {_REDIRECTIONS} times, in the end by: {cause}") from cause

    async def _note_failure(self, node: ClusterNode) -> None:
        self._topology.refresh()
        await drop_connections(node)

    def _turn(self, node: ClusterNode) -> asyncio.Semaphore:
        """Returns the semaphore to hold while a command is sent to a node: without a free connection it would fail."""
        if node.name not in self._turns:
            self._turns[node.name] = asyncio.Semaphore(node.max_connections // 2)  # the library takes some by itself
        return self._turns[node.name]

    def _node(self, error: AskError | MovedError, sender: ClusterNode) -> ClusterNode:
        """Returns the node that a redirection names; an empty host stands for the host of the node that replied."""
        return self._topology.node(error.host or sender.host, error.port)

    def _create_node(self, host: str, port: int, role: str) -> ClusterNode:
        return ClusterNode(host, port, role, **self.nodes_manager.connection_kwargs)


@asynccontextmanager
async def borrowed(node: ClusterNode) -> AsyncIterator[Connection]:
    """Yields a free connection of a node, which may not be connected yet. Raises what the client raises."""
    connection = node.acquire_connection()
    try:
        await node.disconnect_if_needed(connection)
        yield connection
    finally:
        node.release(connection)


async def _ask(node: ClusterNode, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Sends ASKING and a command, on one connection, to the node that the command's slot is being moved to."""
    async with borrowed(node) as connection:
        await connection.send_packed_command(connection.pack_commands([("ASKING",), args]))
        try:
            await connection.read_response()
        except BaseException:
            await connection.disconnect(nowait=True)  # the command's reply must not be taken for that of a later one
            raise
        return await node.parse_response(connection, str(args[0]), **options)


async def _transact(node: ClusterNode, commands: Sequence[Sequence[Any]]) -> list[Any]:
    async with borrowed(node) as connection:
        await connection.send_packed_command(connection.pack_commands([("MULTI",), *commands, ("EXEC",)]))
        replies: Any = None
        refusals = []
        for _ in range(len(commands) + 2):
            try:
                replies = await connection.read_response()
            except ResponseError as error:
                refusals.append(error)
            except BaseException:
                await connection.disconnect(nowait=True)  # replies still to come must not answer a later command
                raise
    if refusals:
        raise refusals[0]
    return [
        reply if isinstance(reply, BaseException) else _parsed(node, name, reply)
        for (name, *_), reply in zip(commands, replies, strict=True)
    ]


def _parsed(node: ClusterNode, name: str, reply: Any) -> Any:
    return node.response_callbacks[name](reply) if name in node.response_callbacks else reply
