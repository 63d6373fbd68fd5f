"""Makes a real server a node of a Redis Cluster whose nodes do not hear of each other, and that writes at once.

A primary of a cluster refuses writes for two seconds of wall clock after its start. So each start goes another way: the
file of nodes says that the node is the replica of a primary with its slots, which nobody is. A replica knows at once
that the cluster is well, and takes the slots over when it is told to. That costs two milliseconds. All else is what the
real server does: it answers CLUSTER SLOTS, refuses keys of others with MOVED, and checks the slots of a script's keys.
"""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tests.simulation.redis.wire import Wire

_SLOTS = 16_384
_OWN_PRIMARY, _STRANGER = f"{99:040x}", f"{98:040x}"
_NOWHERE = "127.0.0.1:1@1"  # refuses: so nodes do not meet
_BUS_PORT = 16_379
_buses = count()


@dataclass(frozen=True, slots=True)
class Shard:
    """Which node of which cluster a server is. `addresses` are those at which clients find the nodes, in order."""

    number: int
    addresses: Sequence[tuple[str, int]]

    def options(self) -> list[str]:
        """Returns the options of a server that is this node; each that runs needs its own."""
        host, port = self.addresses[self.number]
        return [
            *("--cluster-enabled", "yes", "--cluster-port", str(_BUS_PORT), "--bind", _bus_host()),
            *("--cluster-announce-ip", "127.0.0.1", "--cluster-announce-bus-port", "1"),
            *("--cluster-announce-hostname", host, "--cluster-announce-port", str(port)),
            *("--cluster-preferred-endpoint-type", "hostname"),
            *("--cluster-require-full-coverage", "no", "--cluster-node-timeout", "1000000000"),
        ]

    def write(self, folder: Path) -> None:
        """Writes the file of nodes with which a server is to start."""
        lines = [self._line(number) for number in range(len(self.addresses))]
        lines.append(f"{_OWN_PRIMARY} {_NOWHERE} master - 0 0 {self.number + 1} connected {self._slots(self.number)}")
        lines.append(f"{_STRANGER} {_NOWHERE} master - 0 0 0 connected")
        lines.append("vars currentEpoch 100 lastVoteEpoch 0\n")
        (folder / "nodes.conf").write_text("\n".join(lines))

    def take_over(self, wire: Wire) -> None:
        """Makes a server that has started the primary of its slots. Raises ReplyError."""
        # forgetting a node, whichever, makes the server look at once whether the cluster is well
        wire.call("CLUSTER", "FORGET", _STRANGER)
        wire.call("CLUSTER", "FAILOVER", "TAKEOVER")
        wire.call("CLUSTER", "FORGET", _OWN_PRIMARY)

    def _line(self, number: int) -> str:
        host, port = self.addresses[number]
        node = f"{number + 1:040x} 127.0.0.1:{port}@1,{host}"
        if number == self.number:
            return f"{node} myself,slave {_OWN_PRIMARY} 0 0 0 connected"
        return f"{node} master - 0 0 {number + 1} connected {self._slots(number)}"

    def _slots(self, number: int) -> str:
        nodes = len(self.addresses)
        return f"{_SLOTS * number // nodes}-{_SLOTS * (number + 1) // nodes - 1}"


def _bus_host() -> str:
    """Returns a loopback address where no other server has its bus, at which a node must listen."""
    for number in _buses:
        at = (os.getpid() * 64 + number) & 0x7FFFFF
        host = f"127.{64 + (at >> 16)}.{at >> 8 & 255}.{at & 255}"
        with socket.socket() as probe:
            if _is_free(probe, host):
                return host
    raise AssertionError("the numbers do not end")


def _is_free(probe: socket.socket, host: str) -> bool:
    try:
        probe.bind((host, _BUS_PORT))
    except OSError:
        return False
    return True
