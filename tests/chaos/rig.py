"""A whole system that may be broken in every part: Kafka, a Redis behind a proxy, consumers, the API, and the load."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import aiohttp
from aiokafka import AIOKafkaProducer

from deploy.kafka.server import KafkaServers
from deploy.kafka.topics import create_topic
from deploy.local.process import Child
from service.store.audit.audit import audit_project
from tests.chaos.load import GROWING, MOVING, Load
from tests.chaos.reader import Reader
from tests.chaos.store import CONSUMERS, SERVICE, BreakableStore
from tests.end_to_end.checks import assert_answers
from tests.end_to_end.history import make_history
from tests.end_to_end.publisher import Publisher
from tests.end_to_end.system import RunningConsumer, System
from tests.end_to_end.traffic import PARTITIONS, PROJECTS, Record
from tests.oracle import Oracle
from tests.servers import Processes

_QUESTIONS = 60
LARGEST_BATCH_BYTES = 1_048_588  # that a broker takes if it is not told otherwise
LARGEST_LETTER_BYTES = 2_000_000


@dataclass(slots=True)
class Rig:
    """What a fault may break, and what is checked."""

    kafka: KafkaServers
    topic: str
    store: BreakableStore
    system: System
    load: Load
    reader: Reader
    rnd: Random
    consumers: list[RunningConsumer] = field(default_factory=list)
    service: Child | None = None

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """While the block runs records are published, and every answer is checked."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.load.run()), group.create_task(self.reader.run())]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()

    async def verify(self) -> None:
        """Every answer is what a recount of all that was published gives, and the store is in order."""
        await self.verify_records(self.load.records, self.load.acknowledged_ms)

    async def verify_records(self, records: Sequence[Record], acknowledged_ms: int) -> None:
        """Every answer is what a recount of these records gives, and the store is in order."""
        oracle = Oracle([record.event for record in records if record.event is not None])
        for project in (GROWING, MOVING):
            body = await self.system.ask_as_of((project, None, None, None), acknowledged_ms)
            assert body == oracle.answer(project)
        await assert_answers(self.system, records, acknowledged_ms, self.rnd, _QUESTIONS)
        async with self.store.client() as client:
            for project in (*PROJECTS, GROWING, MOVING):
                assert await audit_project(client, project) == []

    def said(self, text: str) -> int:
        """How many lines of the consumers' logs have this text in them."""
        return sum(consumer.child.log_path.read_text().count(text) for consumer in self.consumers)


@asynccontextmanager
async def lasting_publisher(bootstrap: str, topic: str, rnd: Random) -> AsyncIterator[Publisher]:
    """A publisher that repeats what was not acknowledged until it is, in order and once, however long that takes."""
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        enable_idempotence=True,
        request_timeout_ms=5_000,
        max_batch_size=LARGEST_BATCH_BYTES,
        max_request_size=2 * LARGEST_BATCH_BYTES,
    ) as producer:
        yield Publisher([producer], topic, rnd)


@asynccontextmanager
async def running_rig(kafka: KafkaServers, folder: Path, rnd: Random, consumers: int, jobs: int) -> AsyncIterator[Rig]:
    """A system over topics of its own, with so many consumers, and a history of so many jobs to come."""
    async with AsyncExitStack() as stack:
        topic = f"events-{uuid.uuid4().hex}"
        replicas = min(3, len(kafka.nodes))
        await create_topic(kafka.bootstrap, topic, PARTITIONS, replicas)
        larger = {"max.message.bytes": str(LARGEST_LETTER_BYTES)}
        await create_topic(kafka.bootstrap, f"{topic}.dead-letters", 2, replicas, larger)
        store = await stack.enter_async_context(BreakableStore(folder).reachable())
        processes = Processes(folder)
        # in a thread: what they still want of Redis passes through this loop
        stack.push_async_callback(asyncio.to_thread, processes.stop_all)
        environment = {
            "STATS_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap,
            "STATS_KAFKA_TOPIC": topic,
            "STATS_KAFKA_DEAD_LETTER_TOPIC": f"{topic}.dead-letters",
            "STATS_REDIS_URL": store.url_of(CONSUMERS),
        }
        of_service = {"STATS_REDIS_URL": store.url_of(SERVICE)}
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        system = System(processes, environment, http, of_service)
        publisher = await stack.enter_async_context(lasting_publisher(kafka.bootstrap, topic, rnd))
        load = Load(publisher, rnd, make_history(rnd, jobs, bad_records=jobs // 100, misnamed_records=jobs // 100))
        rig = Rig(kafka, topic, store, system, load, Reader(system.get, load.known, rnd), rnd)
        starting = [asyncio.create_task(system.start_consumer()) for _ in range(consumers)]
        rig.service = await system.start_service()
        rig.consumers = await asyncio.gather(*starting)
        await load.begin()
        yield rig
