"""Brokers of both kinds for the same cases."""

import asyncio
import signal
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
from deploy.local.waiting import eventually
from tests.simulation.kafka.contract.broker import Broker
from tests.simulation.kafka.contract.cluster import Cluster
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


class ApacheNodes:
    """Ends and starts nodes by their numbers."""

    def __init__(self, servers: KafkaServers) -> None:
        self._servers = servers

    async def kill(self, number: int) -> None:
        """Ends a node."""
        self._servers.nodes[number - 1].kill()

    def hang(self, number: int) -> None:
        """Stops a node."""
        self._servers.nodes[number - 1].child.process.send_signal(signal.SIGSTOP)

    def wake(self, number: int) -> None:
        """Has a node that hung go on."""
        self._servers.nodes[number - 1].child.process.send_signal(signal.SIGCONT)

    async def start(self, number: int) -> None:
        """Starts a node that was killed, and waits until it answers."""
        self._servers.nodes[number - 1].start()
        await self._servers.wait_ready()


@pytest.fixture(scope="session")
def apache(servers_folder: Path) -> Iterator[Apache]:
    """Apache Kafka."""
    clusters = Apache(servers_folder)
    yield clusters
    clusters.end()


class ServedModel:
    """Serves a model of so many nodes on real ports."""

    def __init__(self, count: int) -> None:
        self.nodes = [(_HOST, free_port()) for _ in range(count)]
        self.bootstrap = ",".join(f"{host}:{port}" for host, port in self.nodes)
        self.model = KafkaModel(self.nodes, Random(1), lambda: time.time_ns() // 1_000_000)
        self.model.hosting.initial_delay_ms = 0
        self.model.groups.least_session_ms = _LEAST_SESSION_MS
        self.model.outages.session_seconds = 1.0
        self._listeners: dict[int, asyncio.Server] = {}

    async def listen(self, number: int) -> None:
        """Takes connections for a node."""
        host, port = self.nodes[number - 1]
        loop = asyncio.get_running_loop()
        self._listeners[number] = await loop.create_server(partial(self.model.protocol, number), host, port)

    async def kill(self, number: int) -> None:
        """Ends a node, which takes no connections any more."""
        self._listeners.pop(number).close()
        self.model.kill(number)

    def hang(self, number: int) -> None:
        """Stops a node, which takes connections and answers nothing."""
        self.model.hang(number)

    def wake(self, number: int) -> None:
        """Has a node that hung go on."""
        self.model.wake(number)

    async def start(self, number: int) -> None:
        """Starts a node that was killed, and waits until it answers."""
        self.model.start(number)
        await eventually(lambda: self.model.listening(number), f"node {number} is up")
        await self.listen(number)

    def end(self) -> None:
        """Ends all nodes."""
        for number, listener in self._listeners.items():
            listener.close()
            self.model.kill(number)


@asynccontextmanager
async def served_model(count: int) -> AsyncIterator[ServedModel]:
    """A model that is served."""
    served = ServedModel(count)
    for number in range(1, count + 1):
        await served.listen(number)
    try:
        yield served
    finally:
        served.end()


@pytest.fixture
async def broker(request: pytest.FixtureRequest, kind: str, apache: Apache) -> AsyncIterator[Broker]:
    """A broker of one node: the model, and Apache Kafka."""
    if kind == "apache":
        servers = await apache.servers(request.getfixturevalue("kafka_program"), 1)
        async with connected(servers.bootstrap, None) as broker:
            yield broker
    else:
        async with served_model(1) as served, connected(served.bootstrap, served.model) as broker:
            yield broker


@pytest.fixture
async def cluster(request: pytest.FixtureRequest, kind: str, apache: Apache) -> AsyncIterator[Cluster]:
    """Three nodes of the model, or of Apache Kafka, which may fail."""
    if kind == "apache":
        servers = await apache.servers(request.getfixturevalue("kafka_program"), 3)
        for node in servers.nodes:
            if node.child.process.poll() is not None:  # an earlier case has killed it
                node.start()
        await servers.wait_ready()
        async with connected(servers.bootstrap, None) as broker:
            yield Cluster(broker, ApacheNodes(servers))
    else:
        async with served_model(3) as served, connected(served.bootstrap, served.model) as broker:
            yield Cluster(broker, served)


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
