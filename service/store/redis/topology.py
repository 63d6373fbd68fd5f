"""Knows which node of a Redis Cluster has which slot, and asks anew in the background when a node fails.

It takes the place of redis-py's own refresh, which overrides the rest of the inside of the library's client: the
library asks one node after the other under a lock for which every command waits, a node that hangs takes it the whole
timeout of a command, and where it fails it ends the connections of all commands that are under way.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from redis.asyncio.cluster import ClusterNode
from redis.exceptions import RedisClusterException, RedisError, ResponseError, SlotNotCoveredError

from service.runtime.tasks import SharedTask, cancel
from service.store.redis.connections import TlsConnection

ASK_SECONDS = 1.0  # that a node may take to tell the slots
_HEAD_START_SECONDS = 0.1  # that a node gets before the next one is asked as well
_PAUSE_SECONDS = 0.1  # between two refreshes: a shard that is away must not have the others asked all the time

CreateNode = Callable[[str, int, str], ClusterNode]


class Topology:
    """Holds the nodes of a cluster and the owners of its slots, as the nodes last told them.

    `nodes` and `slots` are the dictionaries that redis-py's client reads too. `given` are the nodes of the URL. They
    are asked after the known ones, since all addresses of a cluster may have changed.
    """

    def __init__(
        self,
        nodes: dict[str, ClusterNode],
        slots: dict[int, list[ClusterNode]],
        given: Sequence[ClusterNode],
        create_node: CreateNode,
    ) -> None:
        self._nodes = nodes
        self._slots = slots
        self._given = given
        self._create_node = create_node
        self._asking = SharedTask(self._ask)
        self._next_seconds = 0.0
        self._moves: dict[int, ClusterNode] = {}  # owners of slots by redirections since the last question

    @property
    def is_known(self) -> bool:
        """Returns whether any node has told the slots."""
        return bool(self._slots)

    def owner(self, slot: int) -> ClusterNode:
        """Returns the primary of a slot, as far as is known. Raises SlotNotCoveredError, and begins to ask again."""
        nodes = self._slots.get(slot)
        if not nodes:
            self.refresh()
            raise SlotNotCoveredError(f"no node has slot {slot}")
        return nodes[0]

    def moved(self, slot: int, owner: ClusterNode) -> None:
        """Notes the node that a redirection names as the owner of a slot, and asks for the others in the background.

        That node is asked first, and a question that is under way does not overrule it. Others may not have heard
        yet that it has the slot.
        """
        owner.server_type = "primary"
        self._slots[slot] = [owner]
        self._moves[slot] = owner
        self.refresh()

    def node(self, host: str, port: int) -> ClusterNode:
        """Returns the node at an address; it becomes a known one."""
        name = f"{host}:{port}"
        if name not in self._nodes:
            self._nodes[name] = self._create_node(host, port, "primary")
        return self._nodes[name]

    def refresh(self) -> None:
        """Begins to ask for the slots, unless that is under way. It does not wait."""
        self._asking.begin()

    async def refreshed(self) -> None:
        """Waits until the slots have been asked for. Raises RedisClusterException if no node tells them."""
        await self._asking.join()

    async def close(self) -> None:
        """Ends the question under way, and all connections."""
        await self._asking.close()
        await asyncio.gather(*[node.disconnect() for node in {*self._nodes.values(), *self._given}])

    async def _ask(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._next_seconds - loop.time())
        self._next_seconds = loop.time() + _PAUSE_SECONDS
        known = list(self._nodes.values())
        random.shuffle(known)  # one node may tell what is out of date: the next time another one is asked
        owners = {owner.name for owner in self._moves.values()}
        known.sort(key=lambda node: node.name not in owners)
        self._moves.clear()
        strange = [node for node in self._given if node.name not in self._nodes]
        try:
            sender, told = await _first([_Question(node) for node in [*known, *strange]])
        except (RedisError, OSError, RedisClusterException) as error:
            raise RedisClusterException(
                f"Redis Cluster cannot be reached; its URL needs one reachable node at least: {error}"
            ) from error
        gone = self._take_in(sender, told)
        for slot, owner in self._moves.items():
            self._slots[slot] = [self._nodes.setdefault(owner.name, owner)]
        for node in gone:
            if node.name not in self._nodes:
                await drop_connections(node)

    def _take_in(self, sender: ClusterNode, told: Iterable[Sequence[Any]]) -> list[ClusterNode]:
        """Replaces what is known, and returns the nodes that are gone; those that stay keep their connections."""
        given = {node.name: node for node in self._given}
        nodes: dict[str, ClusterNode] = {}
        slots: dict[int, list[ClusterNode]] = {}
        for first, last, *places in told:
            owners: list[ClusterNode] = []
            for (host, port, *_), role in zip(places, ["primary", *["replica"] * len(places)], strict=False):
                # without a host, or with "?", it is at the host where it was asked
                at = host.decode() if host not in {None, b"", b"?"} else str(sender.host)
                name = f"{at}:{port}"
                if name not in nodes:
                    node = self._nodes.get(name) or given.get(name) or self._create_node(at, int(port), role)
                    node.server_type = role
                    nodes[name] = node
                owners.append(nodes[name])
            slots.update(dict.fromkeys(range(first, last + 1), owners))
        gone = [node for name, node in self._nodes.items() if name not in nodes]
        self._nodes.clear()
        self._nodes.update(nodes)
        self._slots.clear()
        self._slots.update(slots)
        return gone


async def drop_connections(node: ClusterNode) -> None:
    """Ends a node's connections: those in use after the command under way. They are dialled again when needed."""
    node.update_active_connections_for_reconnect()
    for connection in tuple(node._free):
        await connection.disconnect(nowait=True)


async def drop_silent_connections(node: ClusterNode, since_seconds: float) -> None:
    """Ends those free connections of a node that have heard nothing since then, by the monotonic clock.

    It is called when one has got no reply in time: a firewall that forgets one has mostly forgotten the others too.
    """
    for connection in tuple(node._free):
        if isinstance(connection, TlsConnection) and connection.heard_seconds < since_seconds:
            await connection.disconnect(nowait=True)


class _Question:
    """Asks a node which node has which slots."""

    def __init__(self, node: ClusterNode) -> None:
        self._node = node

    async def __call__(self) -> tuple[ClusterNode, Sequence[Any]]:
        try:
            told = await self._node.execute_command("CLUSTER SLOTS")
        except ResponseError as error:
            if "cluster support disabled" in str(error):
                raise RedisClusterException(f"{self._node.name} is no node of a cluster") from error
            raise
        if not told:
            raise RedisClusterException(f"{self._node.name} knows of no slots")
        return self._node, told


async def _first(asks: Sequence[Callable[[], Awaitable[Any]]]) -> Any:
    """Returns the first answer. Begins with the next where one fails, or has no answer after the head start.

    Raises the last error, a server's reply before one of the network: it says more.
    """
    waiting, errors = list(asks), list[BaseException]()
    asking: set[asyncio.Future[Any]] = set()
    try:
        async with asyncio.timeout(ASK_SECONDS + _HEAD_START_SECONDS * len(asks)):
            while waiting or asking:
                if waiting:
                    asking.add(asyncio.ensure_future(waiting.pop(0)()))
                done, asking = await asyncio.wait(
                    asking, timeout=_HEAD_START_SECONDS if waiting else None, return_when=asyncio.FIRST_COMPLETED
                )
                errors += [error for each in done if (error := each.exception()) is not None]
                for each in done:
                    if each.exception() is None:
                        return each.result()
    except TimeoutError:
        errors.append(RedisClusterException("no answer in time"))
    finally:
        await cancel(asking)
    raise max(reversed(errors), key=lambda error: isinstance(error, ResponseError))
