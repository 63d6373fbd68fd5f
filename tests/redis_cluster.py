"""A Redis Cluster of three primaries with a replica each, whose nodes a test may end and whose slots it may move."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from redis import Redis
from redis.crc import key_slot

from deploy.local.process import Child, wait_until
from deploy.local.servers import free_port, start_redis

SLOTS = 16384
PRIMARIES = 3
_OPTIONS = (
    *("--cluster-enabled", "yes", "--cluster-node-timeout", "1000"),
    *("--cluster-require-full-coverage", "no"),  # else no shard answers while one is away
    *("--cluster-allow-replica-migration", "no"),  # nor does a primary without slots become a replica
    # replicas are there at once, and are known to be in step
    *("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"),
)


class ClusterNode:
    """One node; `admin` is a client of it alone."""

    def __init__(self, program: str, folder: Path) -> None:
        self.port, self.bus_port = free_port(), free_port()
        self._program, self._folder = program, folder
        self.admin = Redis(port=self.port)
        self.child = self.start()

    def start(self) -> Child:
        """Starts it, or starts it again with what it knew of the cluster."""
        options = (*_OPTIONS, "--cluster-port", str(self.bus_port))
        self.child = start_redis(self._program, self.port, self._folder, self._folder.with_suffix(".log"), options)
        return self.child

    def kill(self) -> None:
        """Ends it without any warning."""
        self.child.process.kill()
        self.child.process.wait()

    @property
    def node_id(self) -> str:
        """The name by which the cluster knows it."""
        return str(self.ask("MYID"))

    def ask(self, *command: object) -> Any:
        """The reply to a CLUSTER command, as text."""
        reply: Any = self.admin.execute_command("CLUSTER", *command)  # type: ignore[no-untyped-call]
        return reply.decode() if isinstance(reply, bytes) else reply

    @property
    def is_primary(self) -> bool:
        """Whether it is one now."""
        role: Any = self.admin.info("replication")["role"]
        return bool(role == "master")


class ThreePrimaries:
    """The cluster. `url` leads to one of its nodes."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder
        self.nodes = [ClusterNode(program, folder / f"node-{number}") for number in range(2 * PRIMARIES)]
        self.url = f"redis://127.0.0.1:{self.nodes[0].port}/0"
        self.seen_from = self.nodes[0]  # who is asked where slots are
        primaries, replicas = self.nodes[:PRIMARIES], self.nodes[PRIMARIES:]
        for number, node in enumerate(primaries):
            node.ask("ADDSLOTSRANGE", SLOTS * number // PRIMARIES, SLOTS * (number + 1) // PRIMARIES - 1)
        for number, node in enumerate(self.nodes):
            node.ask("SET-CONFIG-EPOCH", number + 1)
            for other in self.nodes[:number]:
                node.ask("MEET", "127.0.0.1", other.port, other.bus_port)
        for node in self.nodes:
            wait_until(node.child, partial(_knows, node, len(self.nodes)), "meet all others")
        for replica, primary in zip(replicas, primaries, strict=True):
            replica.ask("REPLICATE", primary.node_id)
        self.wait_well()

    def wait_well(self) -> None:
        """Waits until all nodes agree that all slots are served, and each primary has its replica."""
        for node in self.nodes:
            wait_until(node.child, partial(_is_well, node), "be well")

    @property
    def primaries(self) -> Sequence[ClusterNode]:
        """Those nodes that are primaries now."""
        return [node for node in self.nodes if node.is_primary]

    def owner(self, slot: int) -> ClusterNode:
        """The primary that serves a slot."""
        port = _owner_port(self.nodes[0], slot)
        return next(node for node in self.nodes if node.port == port)

    def owner_of_key(self, key: str) -> ClusterNode:
        """The primary that serves a key."""
        return self.owner(int(key_slot(key.encode())))

    def replicas_of(self, primary: ClusterNode) -> Sequence[ClusterNode]:
        """The nodes that follow a primary now."""
        roles = [(node, node.admin.info("replication")) for node in self.nodes if node is not primary]
        return [node for node, role in roles if role["role"] == "slave" and role["master_port"] == primary.port]

    def shard_of(self, primary: ClusterNode) -> Sequence[ClusterNode]:
        """A primary and the nodes that follow it now."""
        return [primary, *self.replicas_of(primary)]

    @contextmanager
    def joined(self) -> Iterator[ClusterNode]:
        """A node more, without slots, and in the end without it again."""
        node = ClusterNode(self._program, self._folder / "new")
        self.nodes.append(node)
        node.ask("MEET", "127.0.0.1", self.nodes[0].port, self.nodes[0].bus_port)
        for each in self.nodes:
            wait_until(each.child, partial(_knows, each, len(self.nodes)), "meet all others")
            wait_until(each.child, partial(_serves, each), "serve")
        yield node
        self.nodes.remove(node)
        node_id = node.node_id
        node.child.stop()
        for each in self.nodes:
            each.ask("FORGET", node_id)

    def open_slot(self, slot: int, target: ClusterNode | None = None) -> tuple[ClusterNode, ClusterNode]:
        """Begins to move a slot; returns from where and to where. Its keys stay where they are."""
        source = self.owner(slot)
        target = target or next(node for node in self.primaries if node is not source)
        target.ask("SETSLOT", slot, "IMPORTING", source.node_id)
        source.ask("SETSLOT", slot, "MIGRATING", target.node_id)
        return source, target

    def move_keys(self, slot: int, source: ClusterNode, target: ClusterNode, most: int = 1_000_000) -> int:
        """Moves keys of a slot that is open; returns how many there were."""
        keys = source.ask("GETKEYSINSLOT", slot, most)
        if keys:
            source.admin.migrate("127.0.0.1", target.port, keys, 0, 10_000)
        return len(keys)

    def close_slot(self, slot: int, target: ClusterNode) -> None:
        """Ends the move of a slot; waits until all nodes know."""
        for node in [target, *self.primaries]:
            node.ask("SETSLOT", slot, "NODE", target.node_id)
        for node in self.nodes:  # replicas hear of it from the others
            wait_until(node.child, partial(_knows_owner, node, slot, target), "know who has the slot")

    def stop(self) -> None:
        """Stops all nodes."""
        for node in self.nodes:
            node.admin.close()
            node.child.stop()


@contextmanager
def stopped(*nodes: ClusterNode) -> Iterator[None]:
    """Nodes that accept connections, and answer nothing."""
    for node in nodes:
        node.child.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for node in nodes:
            node.child.process.send_signal(signal.SIGCONT)


@contextmanager
def killed(*nodes: ClusterNode) -> Iterator[None]:
    """Nodes that are not there, and come back without anything that they held."""
    for node in nodes:
        node.kill()
    try:
        yield
    finally:
        for node in nodes:
            node.start()


def empty_cluster(url: str) -> None:
    """Empties a cluster of any size: keys and scripts."""
    for_primaries(url, "FLUSHALL")
    forget_scripts(url)


def forget_scripts(url: str) -> None:
    """Has all primaries of a cluster forget their scripts."""
    for_primaries(url, "SCRIPT", "FLUSH")


def for_primaries(url: str, *command: str) -> None:
    """Sends a command to all primaries of a cluster on this machine."""
    with Redis.from_url(url) as node:
        served: Any = node.execute_command("CLUSTER", "SLOTS")
    for port in {port for _, _, [_, port, *_], *_ in served}:
        with Redis(port=port) as primary:
            primary.execute_command(*command)


def _owner_port(node: ClusterNode, slot: int) -> int:
    for first, last, [_, port, *_], *_ in node.ask("SLOTS"):
        if first <= slot <= last:
            return int(port)
    raise AssertionError(f"nobody serves slot {slot}")


def _knows_owner(node: ClusterNode, slot: int, owner: ClusterNode) -> bool:
    return _owner_port(node, slot) == owner.port


def _knows(node: ClusterNode, nodes: int) -> bool:
    lines = node.ask("NODES").splitlines()
    return len(lines) == nodes and not any("handshake" in line for line in lines)


def _serves(node: ClusterNode) -> bool:
    return "cluster_state:ok" in node.ask("INFO")


def _is_well(node: ClusterNode) -> bool:
    lines = node.ask("NODES").splitlines()
    is_agreed = all("fail" not in line.split(" ")[2] and " connected" in line for line in lines)
    if not is_agreed or not _serves(node):
        return False
    if any(len(served) != 4 for served in node.ask("SLOTS")):  # first, last, primary, replica
        return False
    info: Any = node.admin.info("replication")
    return bool(info["master_link_status"] == "up" if info["role"] == "slave" else info["connected_slaves"] == 1)
