"""The platform of a simulation: publishes through a real producer, again and again until all is acknowledged."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from consumers.kafka.stopping import stop_client
from tests.chaos.rig import LARGEST_BATCH_BYTES
from tests.end_to_end.publisher import Acknowledged, Publisher
from tests.end_to_end.traffic import PARTITIONS, Record

_REQUEST_TIMEOUT_MS = 3_000
_PATIENCE_MS = 40_000  # of an idempotent producer: it does not repeat what it has given up
_AGAIN_SECONDS, _SOON_SECONDS = 0.1, 0.01
_MOVED = 0.3  # the share of records that go to partitions that came later, where there are any


def with_key(record: Record) -> Record:
    """Returns a record with the key that it should have, if it has none: a compacted topic takes no such record."""
    if record.key is not None:
        return record
    event = record.event
    return replace(record, key=b"-" if event is None else f"{event.project_id}/{event.job_id}".encode())


class Platform(Publisher):
    """Publishes to as many `partitions` as it is told that there are; whoever holds `idle` keeps it from that.

    A producer that `repeats` what was not acknowledged may have written it all the same: it is in the topic twice then.
    """

    def __init__(self, producer: AIOKafkaProducer, topic: str, rnd: Random, repeats: bool, needs_keys: bool) -> None:
        super().__init__([producer], topic, rnd)
        self.partitions = PARTITIONS
        self.idle = asyncio.Lock()
        self.sent: list[Record] = []  # all that may be in the topic
        self._repeats = repeats
        self._needs_keys = needs_keys

    async def publish(self, records: Sequence[Record], acknowledged: Acknowledged | None = None) -> int:
        """Publishes as Publisher does, while nobody wants the platform to be idle."""
        async with self.idle:
            placed = [self._place(with_key(record) if self._needs_keys else record) for record in records]
            self.sent += placed
            return await super().publish(placed, *([acknowledged] if acknowledged else []))

    def _place(self, record: Record) -> Record:
        if self.partitions == PARTITIONS or self._rnd.random() >= _MOVED:
            return record
        return replace(record, partition=self._rnd.randrange(PARTITIONS, self.partitions))

    async def _write(self, producer: AIOKafkaProducer, partition: int, records: Sequence[Record]) -> int:
        while True:
            try:
                await self._knows(producer, partition)
                return await super()._write(producer, partition, records)
            except KafkaError:
                if not self._repeats:
                    raise
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _knows(self, producer: AIOKafkaProducer, partition: int) -> None:
        """Returns when the producer has heard of a partition, which may have been added a moment ago."""
        while partition not in (producer.client.cluster.partitions_for_topic(self._topic) or ()):
            await producer.client.force_metadata_update()
            await asyncio.sleep(_SOON_SECONDS)


@asynccontextmanager
async def running_platform(
    bootstrap: str, topic: str, rnd: Random, is_idempotent: bool, needs_keys: bool
) -> AsyncIterator[Platform]:
    """Yields a platform. An idempotent producer repeats by itself, and writes nothing twice."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        enable_idempotence=is_idempotent,
        acks="all",
        request_timeout_ms=_PATIENCE_MS if is_idempotent else _REQUEST_TIMEOUT_MS,
        max_batch_size=LARGEST_BATCH_BYTES,
        max_request_size=2 * LARGEST_BATCH_BYTES,
    )
    await producer.start()
    try:
        yield Platform(producer, topic, rnd, not is_idempotent, needs_keys)
    finally:
        await stop_client(producer)
