"""What tests of whole consumers share: waiting, publishing, a Redis that may be killed, a consumer in this process."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis, RedisCluster

from consumers.consumer import Consumer
from consumers.metrics import ConsumerMetrics
from deploy.local.process import Child
from deploy.local.servers import free_port, start_redis
from deploy.local.waiting import eventually
from service.events.event import JobDeletion, JobEvent
from service.runtime.settings import ConsumerSettings
from service.store.errors import StoreUnavailableError
from service.store.read.reader import RedisStatisticsStore
from service.store.redis.client import WRITE_TIMEOUT_SECONDS, create_writer_client
from service.store.redis.clock import system_now_ms
from service.store.write.writer import StoreWriter
from tests.oracle import Oracle
from tests.servers import redis_program
from tests.wire import required_fields

Event = JobEvent | JobDeletion


def settings_of(bootstrap: str, topic: str, redis_url: str, **changes: str) -> ConsumerSettings:
    """Settings of a consumer of a topic, whose dead letters and group have names of their own."""
    given = {
        "kafka_bootstrap_servers": bootstrap,
        "kafka_topic": topic,
        "kafka_dead_letter_topic": f"{topic}.dead-letters",
        "kafka_group_id": f"group-of-{topic}",
        "redis_url": redis_url,
    }
    return ConsumerSettings.model_validate({**given, **changes})


def environment_of(settings: ConsumerSettings) -> dict[str, str]:
    """The variables that give a process these settings."""
    names = ("redis_url", "kafka_bootstrap_servers", "kafka_topic", "kafka_dead_letter_topic", "kafka_group_id")
    return {f"STATS_{name.upper()}": getattr(settings, name) for name in names}


def record_of(event: Event) -> tuple[bytes, bytes | None]:
    """Key and value of an event's Kafka record."""
    key = f"{event.project_id}/{event.job_id}".encode()
    if isinstance(event, JobDeletion):
        return key, None
    return key, json.dumps({**required_fields(event, "e"), "sequence": event.sequence or None}).encode()


@asynccontextmanager
async def producing(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    """A producer, stopped in the end. `async with AIOKafkaProducer` leaves one open whose start is cancelled."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=False)
    try:
        await producer.start()
        yield producer
    finally:
        await producer.stop()


async def send(producer: AIOKafkaProducer, topic: str, events: Sequence[Event | bytes]) -> None:
    """Publishes events, and values that are none, to partition 0 in their order; returns once they are acknowledged."""
    sent = []
    for event in events:
        key, value = (None, event) if isinstance(event, bytes) else record_of(event)
        sent.append(await producer.send(topic, value, key, partition=0))
    await asyncio.gather(*sent)


async def publish(bootstrap: str, topic: str, events: Sequence[Event | bytes]) -> None:
    """Publishes as `send` does, with a producer of its own."""
    async with producing(bootstrap) as producer:
        await send(producer, topic, events)


class RedisServer:
    """A Redis of its own, that can be killed and started again on the same port."""

    def __init__(self, folder: Path, options: Sequence[str] = (), program: str | None = None) -> None:
        self.folder = folder
        self._options = options
        self._program = program or redis_program()
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._child = self._start()

    def _start(self) -> Child:
        return start_redis(self._program, self._port, self.folder, self.folder / "redis.log", self._options)

    def start(self) -> None:
        """Starts it again; returns when it answers."""
        self._child = self._start()

    def kill(self) -> None:
        """Ends it without any warning."""
        self._child.process.kill()
        self._child.process.wait()

    def stop(self) -> None:
        """Asks it to end, and waits until it has."""
        self._child.stop()

    @property
    def log_path(self) -> Path:
        """The append-only file that a Redis with one writes to."""
        return max((self.folder / "appendonlydir").glob("*.incr.aof"), key=lambda each: each.stat().st_mtime_ns)


@dataclass(frozen=True, slots=True)
class RunningConsumer:
    """A consumer in this process, over one store; `working` ends with it."""

    consumer: Consumer
    working: asyncio.Task[None]
    registry: CollectorRegistry
    redis: Redis | RedisCluster
    writer: StoreWriter

    def count(self, name: str, **labels: str) -> float:
        """The value of a counter of the consumer's, 0 if it has none with these labels."""
        return self.registry.get_sample_value(f"stats_consumer_{name}_total", labels) or 0

    def resyncs(self) -> float:
        """How often it began again from the store's offsets, for whatever reason."""
        samples = [sample for metric in self.registry.collect() for sample in metric.samples]
        return sum(sample.value for sample in samples if sample.name == "stats_consumer_resyncs_total")

    async def wait_not_ready(self, missing: list[str]) -> None:
        """Waits until exactly this keeps the consumer from being ready."""

        async def is_so() -> bool:
            return await self.consumer.not_ready() == missing

        await eventually(is_so, f"not ready because of {missing}")

    async def wait_counted(self, events: Sequence[Event]) -> None:
        """Waits until each project's answer is what a recount of these events gives."""
        oracle, reader = Oracle(events), RedisStatisticsStore(self.redis)
        for project_id in {event.project_id for event in events}:

            async def is_so(project_id: str = project_id) -> bool:
                try:
                    answer = await reader.read(project_id, None, None, None)
                except StoreUnavailableError:
                    return False
                body: dict[str, object] = json.loads(answer.body)
                return body == oracle.answer(project_id)

            await eventually(is_so, f"{len(events)} events counted in project {project_id}")

    async def wait_at(self, offset: int) -> None:
        """Waits until all stripes have this next offset of partition 0."""

        async def is_so() -> bool:
            return await self.offsets() == {offset}

        await eventually(is_so, f"all stripes know of all records before offset {offset}")

    async def offsets(self) -> set[int]:
        """The next offsets of partition 0 that the stripes have."""
        heads = await self.writer.read_heads()
        return {head.progress[0].next_offset if head.progress else 0 for head in heads}


@asynccontextmanager
async def running_consumer(
    settings: ConsumerSettings,
    local_now_ms: Callable[[], int] = system_now_ms,
    redis_timeout_seconds: float = WRITE_TIMEOUT_SECONDS,
    **parts: Any,
) -> AsyncIterator[RunningConsumer]:
    """A consumer with a clock and other parts of its own, working until the block ends; raises what ended it before.

    `parts` are what Consumer takes by name.
    """
    registry = CollectorRegistry()
    client = create_writer_client(
        settings.redis_url, settings.redis_cluster, redis_timeout_seconds, cafile=settings.redis_cafile
    )
    writer = StoreWriter(client)
    consumer = Consumer(settings, writer, ConsumerMetrics(registry), local_now_ms=local_now_ms, **parts)
    task = asyncio.create_task(consumer.run())
    try:
        yield RunningConsumer(consumer, task, registry, client, writer)
    finally:
        consumer.stop()
        try:
            await task
        finally:
            await client.aclose()
