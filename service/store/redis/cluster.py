"""A client of a Redis Cluster that follows its slots wherever they are moved, and is initialized once.

What is done to the inside of redis-py is done here, all of it, read against version 8.1.0;
`tests/unit/test_redis_private.py` fails when the library changes under this module. The library's own client asks a
node that is being moved to on one connection and sends the command on another, fails while it counts a redirection, and
fails where many first commands are sent at once. Its transactions do not learn where a slot has gone, and take one that
is still being moved for one that has gone.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
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

_REDIRECTIONS = 16
_TRY_AGAIN_SECONDS = 0.05
_STALE = (RedisConnectionError, RedisTimeoutError, ClusterDownError, SlotNotCoveredError)


class Cluster(RedisCluster):
    """Sends each command to the node that has its slot. A redirected command was not run, so it is sent again."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._turns: dict[str, asyncio.Semaphore] = {}

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Returns the reply. Raises what the client raises."""
        await self.initialize()  # under a lock: first commands come many at once
        return await super().execute_command(*args, **options)

    async def aclose(self) -> None:
        """Closes all connections, also those of a client that would ask for the nodes again with its next command."""
        await super().aclose()
        await self.nodes_manager.aclose()
        await self.nodes_manager.aclose("startup_nodes")

    async def transact(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """Returns the replies to commands of one slot, or the errors in their place, all of one instant.

        Raises what the client raises.
        """
        await self.initialize()
        slot = await self._determine_slot(*commands[0])

        async def send(node: ClusterNode, is_asking: bool) -> list[Any]:
            if is_asking:  # no transaction can be asked for in a slot that is still to come
                raise TryAgainError(f"slot {slot} is being moved")
            return await _transact(node, commands)

        replies: list[Any] = await self._follow(self.nodes_manager.get_node_from_slot(slot), send)
        return replies

    async def _execute_command(self, target_node: ClusterNode, *args: Any, **options: Any) -> Any:
        async def send(node: ClusterNode, is_asking: bool) -> Any:
            return await (_ask(node, args, options) if is_asking else node.execute_command(*args, **options))

        return await self._follow(target_node, send)

    async def _follow(self, target_node: ClusterNode, send: Callable[[ClusterNode, bool], Awaitable[Any]]) -> Any:
        """Sends to the node that a slot is believed to be on, and to where it says that the slot is instead."""
        node, is_asking = target_node, False
        cause: Exception | None = None
        for _ in range(_REDIRECTIONS):
            try:
                async with self._turn(node):
                    return await send(node, is_asking)
            except MovedError as error:  # an AskError, too
                node, is_asking = self._node(error, node), False
                await self.nodes_manager.move_slot(error)
                cause = error
            except AskError as error:
                node, is_asking = self._node(error, node), True
                cause = error
            except TryAgainError as error:  # some keys of the command have been moved and some have not
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
        """Returns what to wait for before a command is sent to a node, which would fail without a free connection."""
        if node.name not in self._turns:
            self._turns[node.name] = asyncio.Semaphore(node.max_connections // 2)  # the library takes some by itself
        return self._turns[node.name]

    def _node(self, error: AskError | MovedError, sender: ClusterNode) -> ClusterNode:
        """Returns the node that a redirection names, which may be new."""
        error.host = error.host or sender.host  # a node that does not know its own name means the one it was asked by
        known = self.get_node(host=error.host, port=error.port)
        if known is not None:
            return known
        manager = self.nodes_manager
        node = ClusterNode(error.host, error.port, "primary", **manager.connection_kwargs)
        manager.set_nodes(manager.nodes_cache, {node.name: node})
        return node


@asynccontextmanager
async def borrowed(node: ClusterNode) -> AsyncIterator[Connection]:
    """Yields a free connection of a node, which may have to be connected. Raises what the client raises."""
    connection = node.acquire_connection()
    try:
        await node.disconnect_if_needed(connection)
        yield connection
    finally:
        node.release(connection)


async def _ask(node: ClusterNode, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Sends a command to the node that its slot is being moved to, on the one connection that was told so."""
    async with borrowed(node) as connection:
        await connection.send_packed_command(connection.pack_commands([("ASKING",), args]))
        try:
            await connection.read_response()
        except BaseException:
            await connection.disconnect(nowait=True)  # the other reply must not be taken for that of another command
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
                await connection.disconnect(nowait=True)  # what is still to come answers no other command
                raise
    if refusals:
        raise refusals[0]
    return [
        reply if isinstance(reply, BaseException) else _parsed(node, name, reply)
        for (name, *_), reply in zip(commands, replies, strict=True)
    ]


def _parsed(node: ClusterNode, name: str, reply: Any) -> Any:
    return node.response_callbacks[name](reply) if name in node.response_callbacks else reply
