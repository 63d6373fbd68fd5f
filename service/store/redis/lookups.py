"""Looks up the name of a host before a connection is made to it, once at a time for all connections.

asyncio looks names up in a few threads that the whole process shares, and a resolver that hangs keeps a thread for
longer than anybody waits for it. Without this, connections to one shard whose name has no answer would soon have all
threads: no other name could be looked up, and no answer compressed.
"""

import asyncio
import socket
from functools import partial
from ipaddress import ip_address
from typing import Any

from service.runtime.tasks import SharedTask


class Lookups:
    """Shares the lookup of a name among all who wait for it. A client has one for its connections."""

    def __init__(self) -> None:
        self._of: dict[str, SharedTask[Any]] = {}

    async def join(self, host: str) -> None:
        """Waits until a name has been looked up; an address needs none. Raises OSError."""
        if _is_address(host):
            return
        if host not in self._of:
            self._of[host] = SharedTask(partial(_look_up, host))
        await self._of[host].join()


async def _look_up(host: str) -> None:
    await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
