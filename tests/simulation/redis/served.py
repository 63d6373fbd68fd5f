"""Lets clients of the product reach simulated servers: over TCP on the ordinary loop, or in virtual time."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
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
_MOST_ROUNDS = 200
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


def make_events(count: int, seed: int = 0) -> list[JobEvent]:
    """Events of one project in the order in which a topic has them: new jobs, changes of known ones, and renamings."""
    rnd = Random(seed)
    return [
        event(
            number if rnd.random() < 0.6 else rnd.randrange(number + 1),
            event_time_ms=number,
            user_id=f"user{rnd.randrange(4)}",
            user_name=f"name{rnd.randrange(3)}",
            start_time_ms=rnd.randrange(600_000),
        )
        for number in range(count)
    ]


async def follow(client: Client, events: Sequence[JobEvent], most: int = 40) -> int:
    """Applies a topic's records, at most so many at once, from where the head is as a consumer does; returns where."""
    writer = StoreWriter(client)
    begun: int | None = None
    for _ in range(_MOST_ROUNDS):
        head = (await writer.read_heads())[_STRIPE]
        at = head.progress[0].next_offset if head.progress else 0
        begun = at if begun is None else begun
        if at >= len(events):
            return begun
        some = events[at : at + most]
        try:
            await writer.apply(1, [StripeBatch(_STRIPE, [Step(0, at, at + len(some), 0)], fold(some)[_STRIPE])])
        except RefusedError as error:
            await mend_project(client, error.project_id)
    raise AssertionError(f"{len(events)} events are not applied after {_MOST_ROUNDS} rounds")
