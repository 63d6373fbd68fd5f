"""Publishes a whole stream to a broker, and knows which offsets mean that all of it has been applied."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from zlib import crc32

from aiokafka import AIOKafkaProducer

from bench.streams import Transition
from deploy.local.plan import PARTITIONS, TOPIC
from deploy.local.servers import create_topics
from service.store.layout.heads import Head
from service.store.layout.keys import stripe_of

# What a producer under load fills its batches to; they are not compressed, which is the same for all that read them.
_BATCH_BYTES = 65_536


@dataclass(slots=True)
class Published:
    """How many records each partition has, and for each stripe and partition the offset after its last event."""

    records: list[int]
    ends: dict[tuple[int, int], int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All records."""
        return sum(self.records)

    def is_applied(self, heads: Sequence[Head]) -> bool:
        """Whether every event has been applied to the stripe that it belongs to."""
        return all(
            partition < len(heads[stripe].progress) and heads[stripe].progress[partition].next_offset >= end
            for (stripe, partition), end in self.ends.items()
        )


class _Partition:
    """Collects one partition's records into batches; waits when the broker does not keep up."""

    def __init__(self, producer: AIOKafkaProducer, number: int) -> None:
        self._producer = producer
        self._number = number
        self._batch = producer.create_batch()
        self._sent: list[asyncio.Future[object]] = []

    async def append(self, key: bytes, value: bytes) -> None:
        if self._batch.append(key=key, value=value, timestamp=None) is None:
            await self._send()
            self._batch = self._producer.create_batch()
            self._batch.append(key=key, value=value, timestamp=None)

    async def finish(self) -> None:
        await self._send()
        await asyncio.gather(*self._sent)

    async def _send(self) -> None:
        self._sent.append(await self._producer.send_batch(self._batch, TOPIC, partition=self._number))


async def publish(bootstrap_servers: str, stream: Iterable[Transition], partition_count: int = PARTITIONS) -> Published:
    """Creates the topic and publishes the stream in its order, the events of a job to one partition."""
    await create_topics(bootstrap_servers, {TOPIC: partition_count})
    published = Published([0] * partition_count)
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers, enable_idempotence=False, max_batch_size=_BATCH_BYTES
    ) as producer:
        partitions = [_Partition(producer, number) for number in range(partition_count)]
        for number, transition in enumerate(stream):
            key, value = transition.record(f"{number:032x}")
            partition = crc32(key) % partition_count
            await partitions[partition].append(key, value)
            published.records[partition] += 1
            published.ends[stripe_of(transition.project_id), partition] = published.records[partition]
        for each in partitions:
            await each.finish()
    return published
