"""`python -m bench.pressing BOOTSTRAP_SERVERS EVENTS_PER_SECOND SECONDS`: publishes events at a steady rate.

The batches are made beforehand, so that publishing takes as little of the machine as can be. It prints a line when it
begins, and at the end by how many milliseconds its worst batch was late.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from zlib import crc32

from aiokafka import AIOKafkaProducer

from bench.streams import StreamSpec, transitions
from deploy.local.plan import PARTITIONS, TOPIC

_SLOTS_PER_SECOND = 20
_BATCH_BYTES = 8 * 1024 * 1024  # a slot's events of a partition, whatever the rate


def _slots(producer: AIOKafkaProducer, events_per_second: int, seconds: int) -> Iterator[list[tuple[int, object]]]:
    """For each slot the batches of the partitions, with a history's events in their order."""
    events = max(1, events_per_second // _SLOTS_PER_SECOND)
    stream = transitions(StreamSpec("pressing", -(-events * seconds * _SLOTS_PER_SECOND // 3), 730, seed=2))
    number = 0
    for _ in range(seconds * _SLOTS_PER_SECOND):
        batches = [producer.create_batch() for _ in range(PARTITIONS)]
        for _ in range(events):
            number += 1
            key, value = next(stream).record(f"{number:032x}")
            batches[crc32(key) % PARTITIONS].append(key=key, value=value, timestamp=None)
        for batch in batches:
            batch.close()
        yield [(partition, batch) for partition, batch in enumerate(batches) if batch.record_count()]


async def press(bootstrap_servers: str, events_per_second: int, seconds: int) -> float:
    """Publishes for so long; returns the greatest lateness in seconds."""
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers,
        enable_idempotence=False,
        max_batch_size=_BATCH_BYTES,
        max_request_size=_BATCH_BYTES * PARTITIONS,
    ) as producer:
        slots = list(_slots(producer, events_per_second, seconds))
        print("pressing", flush=True)
        started = time.monotonic()
        late_seconds = 0.0
        sent: list[asyncio.Future[object]] = []
        for number, batches in enumerate(slots):
            due_seconds = number / _SLOTS_PER_SECOND - (time.monotonic() - started)
            await asyncio.sleep(max(0.0, due_seconds))
            late_seconds = max(late_seconds, -due_seconds)
            for partition, batch in batches:
                sent.append(await producer.send_batch(batch, TOPIC, partition=partition))
        await asyncio.gather(*sent)
        return late_seconds


if __name__ == "__main__":
    print(round(asyncio.run(press(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))) * 1000))
