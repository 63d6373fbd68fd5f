"""The platform of a simulation: publishes through a real producer, again and again until all is acknowledged."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from consumers.kafka.stopping import stop_client
from tests.chaos.rig import LARGEST_BATCH_BYTES
from tests.end_to_end.publisher import Publisher
from tests.end_to_end.traffic import Record

_REQUEST_TIMEOUT_MS = 3_000
_AGAIN_SECONDS = 0.1


class RepeatingPublisher(Publisher):
    """Repeats what was not acknowledged, which may have been written all the same: it is in the topic twice then."""

    async def _write(self, producer: AIOKafkaProducer, partition: int, records: Sequence[Record]) -> int:
        while True:
            try:
                return await super()._write(producer, partition, records)
            except KafkaError:
                await asyncio.sleep(_AGAIN_SECONDS)


@asynccontextmanager
async def running_platform(bootstrap: str, topic: str, rnd: Random, is_idempotent: bool) -> AsyncIterator[Publisher]:
    """Yields a publisher. An idempotent producer repeats by itself, and writes nothing twice."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        enable_idempotence=is_idempotent,
        acks="all",
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
        max_batch_size=LARGEST_BATCH_BYTES,
        max_request_size=2 * LARGEST_BATCH_BYTES,
    )
    await producer.start()
    try:
        yield (Publisher if is_idempotent else RepeatingPublisher)([producer], topic, rnd)
    finally:
        await stop_client(producer)
