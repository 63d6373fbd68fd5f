"""Lets clients of the product reach simulated servers: over TCP on the ordinary loop, or in virtual time."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

from service.events.event import JobEvent
from service.store.audit.unfinished import mend_project
from service.store.errors import RefusedError
from service.store.layout.keys import stripe_of
from service.store.redis.client import create_writer_client
from service.store.write.batch import fold
from service.store.write.writer import Step, StoreWriter, StripeBatch
from tests.simulation.loop import SimulatedLoop
from tests.simulation.network import Network
from tests.simulation.redis.home import Home
from tests.simulation.redis.server import SimulatedRedis
from tests.store.support import Client, Query, Store, event

CONSUMERS = "consumers"  # a user of Redis
NOW_MS = 1_700_000_000_123
WHOLE: list[Query] = [("project", None, None, None)]
_ADDRESS = ("redis", 6379)
_BATCH = 40
_STRIPE = stripe_of("project")


@dataclass(frozen=True, slots=True)
class Served:
    """A server, or one of a cluster, and where it listens."""

    server: SimulatedRedis
    host: str
    port: int
    is_cluster: bool = False

    @property
    def url(self) -> str:
        """Where consumers find it."""
        return f"redis://{CONSUMERS}:{CONSUMERS}@{self.host}:{self.port}/0"

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """A client as consumers have it."""
        client = create_writer_client(self.url, self.is_cluster)
        try:
            yield client
        finally:
            await client.aclose()

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """A store behind such a client."""
        async with self.client() as client:
            yield Store(client)


@asynccontextmanager
async def served(server: SimulatedRedis, port: int = 0, *, is_cluster: bool = False) -> AsyncIterator[Served]:
    """Has a server listen on a port of the loopback address, 0 for any free one."""
    listener = await asyncio.get_running_loop().create_server(server.protocol, "127.0.0.1", port)
    async with listener:
        host, port = listener.sockets[0].getsockname()
        yield Served(server, host, port, is_cluster)


def in_virtual_time(scenario: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Has a test run on a simulated loop: its first argument is a server there, in which a timeout takes no time."""

    def test(home: Home, **given: Any) -> None:
        rnd = Random(1)
        network = Network(rnd)
        loop = SimulatedLoop(network)
        server = SimulatedRedis(home, rnd, lambda: round(loop.time() * 1_000), users=(CONSUMERS,))
        server.start()
        network.listen(_ADDRESS, server.protocol, lambda: server.is_listening)
        try:
            loop.run_until_complete(scenario(Served(server, *_ADDRESS), **given))
        finally:
            loop.close()
            server.close()

    _, *parameters = inspect.signature(scenario).parameters.values()
    own = inspect.signature(test).parameters["home"]
    test.__signature__ = inspect.Signature([own, *parameters])  # type: ignore[attr-defined] # pytest reads it
    test.__doc__ = scenario.__doc__
    return test


def make_events(first: int, last: int) -> list[JobEvent]:
    """Events of one project: new jobs of a few users."""
    return [event(number, event_time_ms=number, user_id=f"user{number % 4}") for number in range(first, last)]


async def follow(client: Client, events: list[JobEvent]) -> int:
    """Applies a topic's records from where the head is, as a consumer does; returns from where."""
    writer = StoreWriter(client)
    begun: int | None = None
    while True:
        head = (await writer.read_heads())[_STRIPE]
        at = head.progress[0].next_offset if head.progress else 0
        begun = at if begun is None else begun
        if at >= len(events):
            return begun
        some = events[at : at + _BATCH]
        try:
            await writer.apply(1, [StripeBatch(_STRIPE, [Step(0, at, at + len(some), 0)], fold(some)[_STRIPE])])
        except RefusedError as error:
            await mend_project(client, error.project_id)
