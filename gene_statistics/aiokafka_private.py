"""Ends aiokafka producers that do not end by themselves. The only module here that reaches into the library's inside.

An idempotent producer tries for ever to send what it holds, and its `stop` waits for that. A test fails when aiokafka
changes under this module: read it against the new version then.
"""

import asyncio
from itertools import chain

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError

_CANCEL_AGAIN_SECONDS = 0.2


async def stop_producer(producer: AIOKafkaProducer, within_seconds: float) -> None:
    """Stops a producer once the brokers have everything that it holds, or gives that up after `within_seconds`.

    Whoever awaits a record that is given up gets a KafkaTimeoutError. Raises what the producer's `stop` raises.
    """
    stopping = asyncio.ensure_future(producer.stop())
    try:
        await asyncio.wait([stopping], timeout=within_seconds)
    finally:
        if not stopping.done():
            await _give_up(producer)
        await stopping


async def _give_up(producer: AIOKafkaProducer) -> None:
    sender = producer._sender.sender_task
    while not sender.done():  # once cancelled it waits for its requests, and another cancellation ends these
        sender.cancel()
        await asyncio.wait([sender], timeout=_CANCEL_AGAIN_SECONDS)
    accumulator = producer._message_accumulator
    waiting = list(chain.from_iterable(accumulator._batches.values()))
    # one that was sent before and waits again has a callback, which takes it out of the pending ones
    accumulator._pending_batches.update(batch for batch in waiting if batch.retry_count)
    accumulator.fail_all(KafkaTimeoutError("the producer was stopped"))
    for batch in waiting:
        batch._drain_waiter.exception()  # else asyncio logs that nobody looked at it
