"""A system without processes, and a publisher for its topic; every test starts the processes that it needs."""

import uuid
from collections.abc import AsyncIterator
from random import Random

import aiohttp
import pytest

from deploy.local.servers import create_topics
from tests.end_to_end.publisher import Publisher, create_publisher
from tests.end_to_end.system import System
from tests.end_to_end.traffic import PARTITIONS
from tests.servers import Processes, settings_over


@pytest.fixture
async def topic(kafka_bootstrap: str) -> str:
    """An empty topic of events, and one of dead letters beside it."""
    name = f"events-{uuid.uuid4().hex}"
    await create_topics(kafka_bootstrap, {name: PARTITIONS, f"{name}.dead-letters": 2})
    return name


@pytest.fixture
def environment(kafka_bootstrap: str, redis_flushed: str, topic: str) -> dict[str, str]:
    """The settings of every process: an empty topic and an empty Redis."""
    return settings_over(kafka_bootstrap, topic, redis_flushed)


@pytest.fixture
async def system(environment: dict[str, str], processes: Processes) -> AsyncIterator[System]:
    """The system over an empty topic and an empty Redis."""
    async with aiohttp.ClientSession() as http:
        yield System(processes, environment, http)


@pytest.fixture
def rnd(request: pytest.FixtureRequest) -> Random:
    """Chance, the same in every run of a test."""
    return Random(request.node.name)


@pytest.fixture
async def publisher(kafka_bootstrap: str, topic: str, rnd: Random) -> AsyncIterator[Publisher]:
    """Publishes to the system's topic."""
    async with create_publisher(kafka_bootstrap, topic, rnd) as publisher:
        yield publisher
