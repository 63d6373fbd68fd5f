"""Lets clients of the product reach a simulated server over TCP, on the ordinary loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from service.store.redis.client import create_writer_client
from tests.simulation.redis.server import SimulatedRedis
from tests.store.support import Client, Store

CONSUMERS = "consumers"  # a user of Redis
NOW_MS = 1_700_000_000_123
_TIMEOUT_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Served:
    """A server and where it listens."""

    server: SimulatedRedis
    port: int

    @property
    def url(self) -> str:
        """Where consumers find it."""
        return f"redis://{CONSUMERS}:{CONSUMERS}@127.0.0.1:{self.port}/0"

    @asynccontextmanager
    async def client(self, timeout_seconds: float = _TIMEOUT_SECONDS) -> AsyncIterator[Client]:
        """A client as consumers have it, that waits less long."""
        client = create_writer_client(self.url, cluster=False, timeout_seconds=timeout_seconds)
        yield client
        await client.aclose()

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """A store behind such a client."""
        async with self.client() as client:
            yield Store(client)


@asynccontextmanager
async def served(server: SimulatedRedis) -> AsyncIterator[Served]:
    """Has a server listen on a free port of the loopback address."""
    listener = await asyncio.get_running_loop().create_server(server.protocol, "127.0.0.1", 0)
    async with listener:
        yield Served(server, listener.sockets[0].getsockname()[1])
