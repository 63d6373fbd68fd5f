"""Brokers of both kinds for the same cases."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random

import pytest
from aiokafka import AIOKafkaClient

from deploy.kafka.jars import KafkaProgram
from deploy.kafka.server import KafkaServers, start_kafka
from deploy.local.servers import free_port
from tests.simulation.kafka.contract.broker import Broker
from tests.simulation.kafka.model import KafkaModel

_HOST = "127.0.0.1"
_LEAST_SESSION_MS = 500
# what lets cases that wait for a broker's own work be short
_HURRIED = f"""
log.cleaner.backoff.ms=200
log.retention.check.interval.ms=500
log.initial.task.delay.ms=200
log.segment.delete.delay.ms=500
group.min.session.timeout.ms={_LEAST_SESSION_MS}
transaction.abort.timed.out.transaction.cleanup.interval.ms=300
"""


class Apache:
    """Starts clusters of Apache Kafka when the first case asks for them; they look often at what they should do."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: dict[int, KafkaServers] = {}

    async def servers(self, program: KafkaProgram, count: int) -> KafkaServers:
        """A cluster of so many nodes, all of them running."""
        if count not in self._started:
            folder = self._folder / f"hurried-kafka-of-{count}"
            self._started[count] = await start_kafka(program, folder, count, _HURRIED)
        return self._started[count]

    def end(self) -> None:
        """Ends them all."""
        for servers in self._started.values():
            servers.end()


@pytest.fixture(scope="session")
def apache(servers_folder: Path) -> Iterator[Apache]:
    """Apache Kafka."""
    clusters = Apache(servers_folder)
    yield clusters
    clusters.end()


@asynccontextmanager
async def served_model(count: int) -> AsyncIterator[KafkaModel]:
    """Serves a model of so many nodes on real ports."""
    nodes = [(_HOST, free_port()) for _ in range(count)]
    model = KafkaModel(nodes, Random(1), lambda: time.time_ns() // 1_000_000)
    model.hosting.initial_delay_ms = 0
    model.groups.least_session_ms = _LEAST_SESSION_MS
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(partial(model.protocol, number), host, port)
        for number, (host, port) in enumerate(nodes, 1)
    ]
    try:
        yield model
    finally:
        for server in servers:
            server.close()
        for node in model.nodes.values():
            node.end()


@pytest.fixture
async def broker(request: pytest.FixtureRequest, kind: str, apache: Apache) -> AsyncIterator[Broker]:
    """A broker of one node: the model, and Apache Kafka."""
    if kind == "apache":
        servers = await apache.servers(request.getfixturevalue("kafka_program"), 1)
        async with connected(servers.bootstrap, None) as broker:
            yield broker
    else:
        async with served_model(1) as model, connected(f"{_HOST}:{model.nodes[1].port}", model) as broker:
            yield broker


@pytest.fixture(params=["model", "apache"])
def kind(request: pytest.FixtureRequest) -> str:
    """What the case runs on."""
    return str(request.param)


@asynccontextmanager
async def connected(bootstrap: str, model: KafkaModel | None) -> AsyncIterator[Broker]:
    """A broker with its client."""
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        yield Broker(bootstrap, client, model)
    finally:
        await client.close()
