"""Runs Apache Kafka nodes as processes that can be killed, hung, and started again on the same data and port."""

import asyncio
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.kafka.jars import KafkaProgram
from deploy.local.process import Child, accepts_connections, start_child
from deploy.local.servers import free_port
from deploy.local.waiting import eventually

_CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qg"
_JAVA_OPTIONS = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_HOST = "127.0.0.1"

_COMMON = """
process.roles=broker,controller
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
auto.create.topics.enable=false
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=16777216
# How soon the others give up a dead node, and how long it waits for its own old lease when it comes back.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""


class KafkaNode:
    """Runs one node of Kafka; call `format` first, then `start`."""

    child: Child

    def __init__(self, program: KafkaProgram, folder: Path, properties: str, port: int) -> None:
        self._program = program
        self._folder = folder
        self._properties = folder / "server.properties"
        self.port = port
        folder.mkdir(parents=True)
        self._properties.write_text(f"{_COMMON}{properties}log.dirs={folder / 'data'}\n")

    def _command(self, main_class: str, *arguments: str) -> list[str]:
        jars = f"{self._program.jars}/*"
        return [self._program.java, *_JAVA_OPTIONS, "-cp", jars, main_class, *arguments, str(self._properties)]

    def segment(self, topic: str, partition: int) -> Path:
        """Returns the path of the file with a partition's first records."""
        return self._folder / "data" / f"{topic}-{partition}" / f"{0:020}.log"

    def format(self) -> None:
        """Makes the node's folder of data. Raises CalledProcessError."""
        command = self._command("kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c")
        subprocess.run(command, check=True, capture_output=True, env=os.environ)  # noqa: S603

    def start(self) -> None:
        """Starts the node, also again after it has ended; the node answers some seconds later."""
        self.child = start_child("Kafka", self._command("kafka.Kafka"), os.environ, self._folder / "kafka.log")

    def kill(self) -> None:
        """Kills the node, and waits until its process has ended."""
        self.child.process.kill()
        self.child.process.wait()


class KafkaServers:
    """Holds a Kafka cluster of one node or several; `bootstrap` has the addresses of all of them."""

    def __init__(self, nodes: Sequence[KafkaNode]) -> None:
        self.nodes = nodes
        self.bootstrap = ",".join(f"{_HOST}:{node.port}" for node in nodes)

    async def wait_ready(self) -> None:
        """Waits until all nodes have joined and answer. Raises ChildFailedError if one ends."""
        await eventually(self._are_all_there, f"{len(self.nodes)} Kafka nodes", within_seconds=60)

    async def _are_all_there(self) -> bool:
        for node in self.nodes:
            node.child.check()
        if not all(accepts_connections(node.port) for node in self.nodes):
            return False
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=5_000)
        try:
            await admin.start()
            cluster = await admin.describe_cluster()
        except KafkaError:
            return False
        finally:
            await admin.close()
        return len(cluster["brokers"]) == len(self.nodes)

    def end(self) -> None:
        """Kills all nodes: their data is not needed any more."""
        for node in self.nodes:
            node.kill()


async def start_kafka(program: KafkaProgram, folder: Path, count: int = 1, properties: str = "") -> KafkaServers:
    """Formats and starts `count` nodes as one cluster below `folder`, and returns it when they answer.

    `properties` are lines that each node's file of properties has as well.
    """
    ports = [(free_port(), free_port()) for _ in range(count)]
    voters = ",".join(f"{number}@{_HOST}:{controller}" for number, (_, controller) in enumerate(ports, 1))
    least = min(count, 2)
    nodes = []
    for number, (port, controller_port) in enumerate(ports, 1):
        own = f"""{properties}
node.id={number}
controller.quorum.voters={voters}
listeners=PLAINTEXT://{_HOST}:{port},CONTROLLER://{_HOST}:{controller_port}
advertised.listeners=PLAINTEXT://{_HOST}:{port}
default.replication.factor={count}
min.insync.replicas={least}
offsets.topic.replication.factor={count}
transaction.state.log.replication.factor={count}
transaction.state.log.min.isr={least}
share.coordinator.state.topic.replication.factor={count}
share.coordinator.state.topic.min.isr={least}
"""
        nodes.append(KafkaNode(program, folder / f"kafka-{number}", own, port))
    await asyncio.gather(*(asyncio.to_thread(node.format) for node in nodes))
    for node in nodes:  # in this thread, as the kernel ends a child with the thread that started it
        node.start()
    servers = KafkaServers(nodes)
    await servers.wait_ready()
    return servers
