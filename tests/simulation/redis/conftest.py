"""Simulated servers on the ordinary loop, over TCP, for clients of the product."""

from collections.abc import AsyncIterator, Iterator
from random import Random

import pytest

from tests.simulation.redis.home import Home
from tests.simulation.redis.served import CONSUMERS, NOW_MS, Served, served
from tests.simulation.redis.server import SimulatedRedis


@pytest.fixture(scope="session")
def home() -> Iterator[Home]:
    """Where the servers of the tests keep their files."""
    home = Home()
    yield home
    home.close()


@pytest.fixture
async def redis(home: Home) -> AsyncIterator[Served]:
    """One primary."""
    server = SimulatedRedis(home, Random(1), lambda: NOW_MS, users=(CONSUMERS,))
    server.start()
    async with served(server) as reachable:
        yield reachable
    server.close()
