"""A Redis Cluster of primaries without replicas, for a measurement: what each of them has to do."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from redis import Redis
from redis.cluster import ClusterNode, RedisCluster

from bench.servers import RedisServer, stopping
from deploy.local.process import ChildFailedError
from deploy.local.servers import find_redis, free_port, start_redis

_SLOTS = 16_384
_JOIN_SECONDS = 30.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Primaries:
    """A running cluster whose slots are shared out evenly."""

    nodes: list[RedisServer]
    client: RedisCluster

    @property
    def url(self) -> str:
        """Where the project's clients find it."""
        return self.nodes[0].url

    @property
    def settings(self) -> dict[str, str]:
        """What the project's processes must be told of it."""
        return {"STATS_REDIS_URL": self.url, "STATS_REDIS_CLUSTER": "true"}

    def cpu_seconds(self) -> list[float]:
        """User and system time of each primary so far."""
        return [node.cpu_seconds() for node in self.nodes]

    def strings(self, keys: list[str]) -> list[bytes | None]:
        """The values of these keys."""
        return cast(list[bytes | None], self.client.mget_nonatomic(keys))


@contextmanager
def running_primaries(folder: Path, number: int) -> Iterator[Primaries]:
    """An empty cluster of so many primaries, which writes nothing to disk."""
    with ExitStack() as stack:
        nodes = [stack.enter_context(_running_node(folder, place)) for place in range(number)]
        for place, node in enumerate(nodes):
            first, last = _SLOTS * place // number, _SLOTS * (place + 1) // number - 1
            _ask(node, "ADDSLOTSRANGE", first, last)
            _ask(node, "SET-CONFIG-EPOCH", place + 1)
            _ask(node, "MEET", "127.0.0.1", nodes[0].port, nodes[0].port + 1)
        _wait_joined(nodes)
        starts = [ClusterNode("127.0.0.1", node.port) for node in nodes]  # type: ignore[no-untyped-call]
        client = stack.enter_context(RedisCluster(startup_nodes=starts, protocol=2))
        yield Primaries(nodes, client)


@contextmanager
def _running_node(folder: Path, place: int) -> Iterator[RedisServer]:
    port = _two_free_ports()
    options = ("--cluster-enabled", "yes", "--cluster-port", str(port + 1))
    with tempfile.TemporaryDirectory(dir=folder) as data:
        child = start_redis(find_redis(), port, Path(data), folder / f"primary-{place}.log", options)
        with stopping(child), Redis(host="127.0.0.1", port=port, protocol=2) as client:
            yield RedisServer(child, port, client)


def _two_free_ports() -> int:
    """A free port whose next one, for the bus of the cluster, is free as well."""
    while True:
        port = free_port()
        if free_port(port + 1) == port + 1:
            return port


def _wait_joined(nodes: list[RedisServer]) -> None:
    deadline = time.monotonic() + _JOIN_SECONDS
    for node in nodes:
        while not (f"cluster_known_nodes:{len(nodes)}" in (info := _ask(node, "INFO")) and "cluster_state:ok" in info):
            node.child.check()
            if time.monotonic() > deadline:
                raise ChildFailedError(f"the primaries did not join within {_JOIN_SECONDS:.0f} s: {info}")
            time.sleep(_POLL_SECONDS)


def _ask(node: RedisServer, *command: object) -> str:
    reply: Any = node.client.execute_command("CLUSTER", *command)  # type: ignore[no-untyped-call]
    return reply.decode() if isinstance(reply, bytes) else str(reply)
