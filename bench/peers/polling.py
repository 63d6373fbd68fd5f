"""The loop around the peers that are written by hand: poll, count, commit."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer
from redis.asyncio import Redis

from bench.peers.meter import SESSION_SECONDS, Meter, arguments, setting

Polled = dict[int, Sequence[Any]]
"""The records of one poll by partition."""

_BATCH_RECORDS = 20_000  # like our consumer's, as are the sizes of a fetch
_POLL_TIMEOUT_MS = 50


def run(handle: Callable[[Redis, Polled], Awaitable[None]]) -> None:
    """Polls and handles as many records as the command line says, committing after each poll."""
    asyncio.run(_run(handle, arguments()))


async def _run(handle: Callable[[Redis, Polled], Awaitable[None]], meter: Meter) -> None:
    consumer = AIOKafkaConsumer(
        setting("KAFKA_TOPIC"),
        bootstrap_servers=setting("KAFKA_BOOTSTRAP_SERVERS"),
        group_id=setting("KAFKA_GROUP_ID"),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 * 1024 * 1024,
        fetch_max_bytes=32 * 1024 * 1024,
        fetch_max_wait_ms=100,
        session_timeout_ms=SESSION_SECONDS * 1000,
    )
    async with Redis.from_url(setting("REDIS_URL"), protocol=2) as redis, consumer:
        gc.collect()
        gc.freeze()
        gc.set_threshold(200_000, 50, 50)
        while meter.left > 0:
            got = await consumer.getmany(timeout_ms=_POLL_TIMEOUT_MS, max_records=min(meter.left, _BATCH_RECORDS))
            if got:
                meter.start()
                polled = {tp.partition: records for tp, records in got.items()}
                await handle(redis, polled)
                await consumer.commit({tp: records[-1].offset + 1 for tp, records in got.items()})
                for partition, records in polled.items():
                    meter.add(partition, len(records))
