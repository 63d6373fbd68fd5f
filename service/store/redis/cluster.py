"""A client of a Redis Cluster that follows slots while they are moved between servers.

It overrides what is inside of redis-py; no other module does. Read against version 8.1.0:
`tests/unit/test_redis_private.py` fails when the library changes what this module relies on. Why the library's own
client will not do:

- It sends ASKING to a slot's new node on one connection and the command on another.
- It fails while it counts a redirection.
- It fails where many first commands are sent at once.
- Its transactions do not learn where a slot has gone, and take a slot that is being moved for one that has gone.
"""

import asyncio
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
    RedisClusterException,
    ResponseError,
    SlotNotCoveredError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from service.store.redis.connections import TlsConnection

_REDIRECTIONS = 16
_TRY_AGAIN_SECONDS = 0.05
_STALE = (RedisConnectionError, RedisTimeoutError, ClusterDownError, SlotNotCoveredError)


class Cluster(RedisCluster):
    """Sends each command to the node that has its slot. A redirected command was not run, so it sends it again."""

    def __init__(self, hosts: Sequence[tuple[str, int]], tls: SSLContext | None, **options: Any) -> None:
        super().__init__(startup_nodes=[ClusterNode(host, port) for host, port in hosts], **options)
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._given = dict(self.nodes_manager.startup_nodes)
        self.nodes_manager.connection_kwargs |= {"connection_class": TlsConnection, "tls": tls}
        for node in self._given.values():
            node.connection_class = TlsConnection
            node.connection_kwargs["tls"] = tls

    async def initialize(self, *args: Any, **options: Any) -> "Cluster":
        """Asks for the nodes and their slots, unless they are known. Raises what the client raises.

        It begins with the hosts that were given once more where none of the nodes that it knew can be reached: all
        addresses of a cluster may have changed.
        """
        try:
            await super().initialize(*args, **options)
        except RedisClusterException:
            for name, node in self._given.items():
                self.nodes_manager.startup_nodes.setdefault(name, node)
            raise
        return self

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Returns the reply to a command. Raises what the client raises."""
        await self.initialize()  # takes a lock: many first commands may come at once
        return await super().execute_command(*args, **options)

    async def aclose(self) -> None:
        """Closes all connections, also where the client is to ask for the nodes again before its next command."""
        await super().aclose()
        await self.nodes_manager.aclose()
        await self.nodes_manager.aclose("startup_nodes")

    async def transact(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """Runs commands of one slot in a transaction; returns the replies, with errors in the place of replies.

        Raises what the client raises.
        """
        await self.initialize()
        slot = await self._determine_slot(*commands[0])

        async def send(node: ClusterNode, is_asking: bool) -> list[Any]:
            if is_asking:  # no transaction is sent to a node that is still getting the slot
                raise TryAgainError(f"slot {slot} is being moved")
            return await _transact(node, commands)

        replies: list[Any] = await self._follow(self.nodes_manager.get_node_from_slot(slot), send)
        return replies

    async def _execute_command(self, target_node: ClusterNode, *args: Any, **options: Any) -> Any:
        async def send(node: ClusterNode, is_asking: bool) -> Any:
            return await (_ask(node, args, options) if is_asking else node.execute_command(*args, **options))

        return await self._follow(target_node, send)

    async def _follow(self, target_node: ClusterNode, send: Callable[[ClusterNode, bool], Awaitable[Any]]) -> Any:
        """Sends to the node that a slot was last known to be on, and then to each node that a redirection names."""
        node, is_asking = target_node, False
        cause: Exception | None = None
        for _ in range(_REDIRECTIONS):
            try:
                async with self._turn(node):
                    return await send(node, is_asking)
            except MovedError as error:  # caught before AskError, since redis-py derives it from that
                node, is_asking = self._node(error, node), False
                await self.nodes_manager.move_slot(error)
                cause = error
            except AskError as error:
                node, is_asking = self._node(error, node), True
                cause = error
            except TryAgainError as error:  # of the command's keys some have been moved and some have not
                node, is_asking = target_node, False
                await asyncio.sleep(_TRY_AGAIN_SECONDS)
                cause = error
            except _STALE:
                self._initialize = True  # the next command asks which node has which slots
                node.update_active_connections_for_reconnect()
                await node.disconnect_free_connections()
                raise
        if isinstance(cause, TryAgainError):
            raise cause
        raise ClusterError(f"redirected {_REDIRECTIONS} times, in the end by: {cause}") from cause

    def _turn(self, node: ClusterNode) -> asyncio.Semaphore:
        """Returns the semaphore to hold while a command is sent to a node: without a free connection it would fail."""
        if node.name not in self._turns:
            self._turns[node.name] = asyncio.Semaphore(node.max_connections // 2)  # the library takes some by itself
        return self._turns[node.name]

    def _node(self, error: AskError | MovedError, sender: ClusterNode) -> ClusterNode:
        """Returns the node that a redirection names; the client may not have known it."""
        error.host = error.host or sender.host  # an empty host stands for the host of the node that replied
        known = self.get_node(host=error.host, port=error.port)
        if known is not None:
            return known
        manager = self.nodes_manager
        node = ClusterNode(error.host, error.port, "primary", **manager.connection_kwargs)
        manager.set_nodes(manager.nodes_cache, {node.name: node})
        return node


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
