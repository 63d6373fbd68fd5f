"""Publishes records as given, byte for byte, through producers of every codec; reads topics back."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from random import Random

from aiokafka import AIOKafkaProducer, TopicPartition

from consumers.kafka.aiokafka_private import Reader, create_batch
from tests.end_to_end.traffic import Header, Record

CODECS = (None, "gzip", "snappy", "lz4", "zstd")
_BATCH_BYTES = 1_000_000
_MAX_BATCH_RECORDS = 400
_MAX_IDLE_POLLS = 10

Acknowledged = Callable[[Sequence[Record], int], None]


def now_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


def _nobody(_records: Sequence[Record], _at_ms: int) -> None: ...


class Publisher:
    """Writes records to one topic in batches of random length and codec, those of a partition in their order."""

    def __init__(self, producers: Sequence[AIOKafkaProducer], topic: str, rnd: Random) -> None:
        self._producers = producers
        self._topic = topic
        self._rnd = rnd
        self.published: list[Record] = []

    async def publish(self, records: Sequence[Record], acknowledged: Acknowledged = _nobody) -> int:
        """Returns once all are acknowledged, with the time after that: Unix milliseconds, rounded up.

        `acknowledged` hears of each batch by itself: its records, and such a time.
        """
        by_partition: dict[int, list[Record]] = {}
        for record in sorted(records, key=lambda each: each.partition):
            by_partition.setdefault(record.partition, []).append(record)
        partitions = by_partition.items()
        await asyncio.gather(*(self._publish(partition, each, acknowledged) for partition, each in partitions))
        self.published += records
        return now_ms() + 1

    async def _publish(self, partition: int, records: Sequence[Record], acknowledged: Acknowledged) -> None:
        at = 0
        while at < len(records):
            producer, first = self._rnd.choice(self._producers), at
            at += await self._write(producer, partition, records[at : at + self._rnd.randrange(1, _MAX_BATCH_RECORDS)])
            acknowledged(records[first:at], now_ms() + 1)

    async def _write(self, producer: AIOKafkaProducer, partition: int, records: Sequence[Record]) -> int:
        """Writes as many of the records as fit in one batch; returns how many, once they are acknowledged."""
        batch, count = create_batch(producer), 0
        for record in records:
            appended = batch.append(
                key=record.key, value=record.value, timestamp=record.timestamp_ms, headers=list(record.headers)
            )
            if appended is None:  # the batch is full
                break
            count += 1
        await (await producer.send_batch(batch, self._topic, partition=partition))
        return count


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


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """A record as it lies in a topic; a header's name that is not UTF-8 is a HeaderName."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]


async def read_topic(bootstrap: str, topic: str, partitions: int, count: int) -> list[ReadRecord]:
    """The committed records of a topic: all there are, or fewer than `count` if no more come."""
    consumer = Reader(
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
        isolation_level="read_committed",
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, partition) for partition in range(partitions)])
        records: list[ReadRecord] = []
        idle_polls = 0
        while idle_polls < (1 if len(records) >= count else _MAX_IDLE_POLLS):
            polled = await consumer.getmany(timeout_ms=1_000)
            idle_polls = 0 if polled else idle_polls + 1
            for tp, some in polled.items():
                records += [
                    ReadRecord(tp.partition, each.offset, each.key, each.value, tuple(each.headers)) for each in some
                ]
        return records
    finally:
        await consumer.stop()
