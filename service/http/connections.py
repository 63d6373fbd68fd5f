"""Decides how many connections a server may have, in all and from one address, and counts those that it has."""

import asyncio
import ipaddress
import resource
from collections import Counter
from dataclasses import dataclass

_MOST = 10_000
_ADDRESS_SHARE = 4
_OTHER_FILES = 256  # connections to Redis and the identity service, the log, what a library opens


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The number of connections that a server has at most: in all, and from one address."""

    total: int
    per_address: int

    @classmethod
    def of(cls, total: int) -> "ConnectionLimits":
        """Returns the limits of that many connections, of which one address may have a quarter."""
        return cls(total, max(1, total // _ADDRESS_SHARE))

    @classmethod
    def of_process(cls) -> "ConnectionLimits":
        """Returns limits that leave room for other files below what this process may have open now."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if files == resource.RLIM_INFINITY:
            return cls.of(_MOST)
        return cls.of(max(1, min(_MOST, files - min(_OTHER_FILES, files // 2))))


class OpenConnections:
    """Counts the open connections of a server by address. `none` is set while there are none."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self.total = 0
        self.none = asyncio.Event()
        self.none.set()
        self._by_address: Counter[str] = Counter()

    def lack(self, address: str) -> str | None:
        """Returns None if another connection of this address may open, else what there are too many of."""
        if self.total >= self.limits.total:
            return "total"
        if self._by_address[address] >= self.limits.per_address:
            return "address"
        return None

    def enter(self, address: str) -> None:
        """Counts a connection that has opened."""
        self.total += 1
        self.none.clear()
        self._by_address[address] += 1

    def leave(self, address: str) -> None:
        """Counts a connection that has ended."""
        self.total -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]
        if not self.total:
            self.none.set()


def party(address: str) -> str:
    """Returns what stands for the party behind an address: itself, or the /64 network of an IPv6 address.

    Whoever has one IPv6 address mostly has all of its network.
    """
    if ":" not in address:
        return address
    parsed = ipaddress.IPv6Address(address.partition("%")[0])
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
