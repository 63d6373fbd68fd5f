"""Gives cases a broker of either kind: clients, topics of their own, and requests as they are on the wire."""

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaClient, AIOKafkaProducer, TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.record.memory_records import MemoryRecords

from consumers.kafka.aiokafka_private import LeaderFetch
from deploy.kafka.topics import admin, create_topic
from deploy.local.waiting import eventually
from tests.simulation.kafka.model import KafkaModel

UNCOMMITTED, COMMITTED = 0, 1
EARLIEST, LATEST = -2, -1
NO_PRODUCER = (-1, -1, -1)
NOW_MS = time.time_ns() // 1_000_000  # records that are much older are removed by retention


@dataclass(frozen=True, slots=True)
class Fetched:
    """Holds what a fetch gives of one partition."""

    tp: TopicPartition
    code: int
    highwater: int
    stable: int
    start: int
    aborted: list[tuple[int, int]]
    data: bytes

    @property
    def batches(self) -> list[Any]:
        """The batches that are there whole."""
        records, batches = MemoryRecords(self.data), []
        while records.has_next():
            batches.append(records.next_batch())
        return batches

    @property
    def records(self) -> list[Any]:
        """The records of those batches, without control markers."""
        return [record for batch in self.batches if not batch.is_control_batch for record in batch]

    @property
    def offsets(self) -> list[int]:
        """Their offsets."""
        return [record.offset for record in self.records]


@dataclass(frozen=True, slots=True)
class Broker:
    """Is a cluster that answers at `bootstrap`, and a client for single requests.

    `model` is there if it is one: it must be told when retention or compaction have their turn.
    """

    bootstrap: str
    client: AIOKafkaClient
    model: KafkaModel | None

    async def ask(self, request: Any, node: int | None = None) -> Any:
        """The response to a request: of this node, or of the first."""
        nodes = sorted(each.nodeId for each in self.client.cluster.brokers())
        return await self.client.send(nodes[0] if node is None else node, request)

    async def create_topic(self, partitions: int = 1, replicas: int = 1, **configs: str) -> str:
        """Makes a topic of its own for a case; configs have underscores for dots."""
        name = f"contract-{uuid.uuid4().hex}"
        dotted = {key.replace("_", "."): value for key, value in configs.items()}
        await create_topic(self.bootstrap, name, partitions, replicas, dotted)
        for number in range(partitions):
            await self.wait_begun(TopicPartition(name, number))
        return name

    async def wait_begun(self, tp: TopicPartition) -> None:
        """Waits until a partition's leader leads it, which it is known for before."""

        async def has_begun() -> bool:
            nodes = [each.nodeId for each in self.client.cluster.brokers()]
            return any([(await self.offset(tp, LATEST, node=node))[0] == 0 for node in nodes])

        await eventually(has_begun, f"{tp} is there")

    async def configure(self, topic: str, configs: Mapping[str, str]) -> None:
        """Gives a topic these settings, and no other."""
        async with admin(self.bootstrap) as client:
            await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, dict(configs))])

    async def configs(self, topic: str, names: Sequence[str]) -> dict[str, str]:
        """These settings of a topic."""
        async with admin(self.bootstrap) as client:
            resource = ConfigResource(ConfigResourceType.TOPIC, topic, dict.fromkeys(names))
            [response] = await client.describe_configs([resource])
        return {entry[0]: entry[1] for described in response.resources for entry in described[4]}

    async def delete_topic(self, name: str) -> None:
        """Deletes a topic."""
        async with admin(self.bootstrap) as client:
            response = await client.delete_topics([name])
        assert [code for _, code in response.topic_error_codes] == [0]

    def producer(self, **options: Any) -> AIOKafkaProducer:
        """A producer, to be started."""
        return AIOKafkaProducer(bootstrap_servers=self.bootstrap, **options)

    async def fetch(
        self,
        offsets: Mapping[TopicPartition, int],
        isolation: int = UNCOMMITTED,
        *,
        max_bytes: int = 1 << 20,
        partition_bytes: int = 1 << 20,
        wait_ms: int = 0,
        node: int | None = None,
        is_for_leaders: bool = False,
    ) -> list[Fetched]:
        """What one fetch gives, partitions in the order of the response; they are asked for in that of `offsets`."""
        topics = [(tp.topic, [(tp.partition, offset, partition_bytes)]) for tp, offset in offsets.items()]
        request = FetchRequest(wait_ms, 1, max_bytes, isolation, topics)
        response = await self.ask(LeaderFetch(request) if is_for_leaders else request, node)
        return [
            Fetched(TopicPartition(topic, partition), code, highwater, stable, start, aborted or [], data or b"")
            for topic, partitions in response.topics
            for partition, code, highwater, stable, start, aborted, *_, data in partitions
        ]

    async def fetch_one(self, tp: TopicPartition, offset: int = 0, isolation: int = UNCOMMITTED) -> Fetched:
        """What a fetch gives of one partition."""
        [fetched] = await self.fetch({tp: offset}, isolation)
        return fetched

    async def append(
        self, tp: TopicPartition, data: bytes, transactional_id: str | None = None, node: int | None = None
    ) -> tuple[int, int, int, int]:
        """Error code, base offset, timestamp and log start offset as a Produce of these bytes gives them."""
        request = ProduceRequest(transactional_id, -1, 5_000, [(tp.topic, [(tp.partition, data)])])
        response = await self.ask(request, node)
        [(_, [[_, code, offset, timestamp, start, *_]])] = response.topics
        return code, offset, timestamp, start

    async def offset(
        self, tp: TopicPartition, timestamp: int, isolation: int = UNCOMMITTED, node: int | None = None
    ) -> tuple[int, int, int]:
        """Error code, timestamp and offset as ListOffsets gives them."""
        response = await self.ask(OffsetRequest(-1, isolation, [(tp.topic, [(tp.partition, timestamp)])]), node)
        [(_, [[_, code, found_timestamp, offset, *_]])] = response.topics
        return code, found_timestamp, offset

    async def wait_start(self, tp: TopicPartition, offset: int) -> None:
        """Waits until a partition begins at this offset."""

        async def begins_there() -> bool:
            return (await self.offset(tp, EARLIEST))[2] == offset

        await eventually(begins_there, f"{tp} begins at {offset}")


def batch_of(
    values: Iterable[bytes | None],
    producer: tuple[int, int, int] = NO_PRODUCER,
    timestamp: int = NOW_MS,
    transactional: bool = False,
    keys: Sequence[bytes] | None = None,
) -> bytes:
    """A batch of records, not compressed; `producer` is its id, epoch and the first sequence number."""
    builder = _DefaultRecordBatchBuilderPy(2, 0, transactional, *producer, 1 << 20)
    for number, value in enumerate(values):
        key = keys[number] if keys else None
        assert builder.append(number, timestamp=timestamp, key=key, value=value, headers=[])
    return bytes(builder.build())
