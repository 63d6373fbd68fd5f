"""Publishes records as given, byte for byte, through producers of every codec; reads topics back."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.end_to_end.traffic import PARTITIONS, Record

CODECS = (None, "gzip", "snappy", "lz4", "zstd")
_BATCH_BYTES = 1_000_000
_MAX_BATCH_RECORDS = 400
_MAX_IDLE_POLLS = 10


class Publisher:
    """Writes records to one topic in batches of random length and codec, those of a partition in their order."""

    def __init__(self, producers: Sequence[AIOKafkaProducer], topic: str, rnd: Random) -> None:
        self._producers = producers
        self._topic = topic
        self._rnd = rnd
        self.published: list[Record] = []

    async def publish(self, records: Sequence[Record]) -> int:
        """Returns once all are acknowledged, with the time after that: Unix milliseconds, rounded up."""
        by_partition: list[list[Record]] = [[] for _ in range(PARTITIONS)]
        for record in records:
            by_partition[record.partition].append(record)
        await asyncio.gather(*(self._publish(partition, each) for partition, each in enumerate(by_partition)))
        self.published += records
        return time.time_ns() // 1_000_000 + 1

    async def _publish(self, partition: int, records: Sequence[Record]) -> None:
        at = 0
        while at < len(records):
            producer = self._rnd.choice(self._producers)
            batch = producer.create_batch()
            for record in records[at : at + self._rnd.randrange(1, _MAX_BATCH_RECORDS)]:
                appended = batch.append(
                    key=record.key, value=record.value, timestamp=record.timestamp_ms, headers=list(record.headers)
                )
                if appended is None:  # the batch is full
                    break
                at += 1
            acknowledged = await producer.send_batch(batch, self._topic, partition=partition)
            await acknowledged


@asynccontextmanager
async def create_publisher(bootstrap: str, topic: str, rnd: Random) -> AsyncIterator[Publisher]:
    """A publisher with a started producer for each codec."""
    async with AsyncExitStack() as stack:
        producers = []
        for codec in CODECS:
            producer = AIOKafkaProducer(
                bootstrap_servers=bootstrap,
                compression_type=codec,
                max_batch_size=_BATCH_BYTES,
                enable_idempotence=False,
            )
            producers.append(await stack.enter_async_context(producer))
        yield Publisher(producers, topic, rnd)


async def read_topic(bootstrap: str, topic: str, partitions: int, count: int) -> list[Any]:
    """The records of a topic: all there are, or fewer than `count` if no more come."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=100)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, partition) for partition in range(partitions)])
        records: list[Any] = []
        idle_polls = 0
        while idle_polls < (1 if len(records) >= count else _MAX_IDLE_POLLS):
            polled = await consumer.getmany(timeout_ms=1_000)
            idle_polls = 0 if polled else idle_polls + 1
            records += [record for some in polled.values() for record in some]
        return records
    finally:
        await consumer.stop()
