"""`python -m bench.pressing BOOTSTRAP_SERVERS EVENTS_PER_SECOND SECONDS bursts|smooth`: publishes at a steady rate.

In bursts a batch goes to each partition 20 times a second; smoothly one batch every five milliseconds, to one partition
after the other. The batches are made beforehand, so that publishing takes as little of the machine as can be. It prints
a line when it begins, and at the end by how many milliseconds its worst batch was late.
"""

import asyncio
import gc
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from bench.streams import StreamSpec, transitions
from deploy.local.plan import PARTITIONS, TOPIC

_SLOTS_PER_SECOND = {"bursts": 20, "smooth": 50}
_BATCH_BYTES = 8 * 1024 * 1024  # a slot's events of a partition, whatever the rate


@dataclass(frozen=True, slots=True)
class _Due:
    """A batch of a partition, and when it is due, in seconds after the beginning."""

    seconds: float
    partition: int
    batch: BatchBuilder


def _plan(producer: AIOKafkaProducer, events_per_second: int, seconds: int, how: str) -> Iterator[_Due]:
    """All batches, with a history's events in their order."""
    slots_per_second = _SLOTS_PER_SECOND[how]
    events = max(1, events_per_second // slots_per_second)
    stream = transitions(StreamSpec("pressing", -(-events * seconds * slots_per_second // 3), 730, seed=2))
    apart_seconds = 1 / slots_per_second / PARTITIONS if how == "smooth" else 0.0
    number = 0
    for slot in range(seconds * slots_per_second):
        batches = [producer.create_batch() for _ in range(PARTITIONS)]
        for _ in range(events):
            number += 1
            key, value = next(stream).record(f"{number:032x}")
            batches[crc32(key) % PARTITIONS].append(key=key, value=value, timestamp=None)
        for partition, batch in enumerate(batches):
            batch.close()
            if batch.record_count():
                yield _Due(slot / slots_per_second + partition * apart_seconds, partition, batch)


async def press(bootstrap_servers: str, events_per_second: int, seconds: int, how: str) -> float:
    """Publishes for so long; returns the greatest lateness in seconds."""
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers,
        enable_idempotence=False,
        max_batch_size=_BATCH_BYTES,
        max_request_size=_BATCH_BYTES * PARTITIONS,
    ) as producer:
        plan = list(_plan(producer, events_per_second, seconds, how))
        gc.collect()
        gc.freeze()  # a look at all the batches takes a tenth of a second
        print("pressing", flush=True)
        started = time.monotonic()
        late_seconds = 0.0
        sent: list[asyncio.Future[object]] = []
        for due in plan:
            wait_seconds = due.seconds - (time.monotonic() - started)
            if wait_seconds > 0:
                await asyncio.sleep(wait_seconds)
            late_seconds = max(late_seconds, -wait_seconds)
            sent.append(await producer.send_batch(due.batch, TOPIC, partition=due.partition))
        await asyncio.gather(*sent)
        return late_seconds


if __name__ == "__main__":
    print(round(asyncio.run(press(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])) * 1000))
