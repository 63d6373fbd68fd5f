"""Holds the producer that a publisher sends with, and takes a new one after each failure."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from gene_statistics.aiokafka_private import stop_producer
from gene_statistics.kafka import start_producer
from gene_statistics.texts import kind_of

_LAST_MOMENT_SECONDS = 2.0

_log = logging.getLogger(__name__)


class Producers:
    """Gives one started producer at a time.

    An idempotent producer numbers its batches. When a batch fails for good, the brokers refuse all later ones of its
    partition, for as long as the producer lives. So a producer with a failure is replaced.
    """

    def __init__(self, options: Mapping[str, Any], idempotence: bool | None, deadline_seconds: float) -> None:
        self._options = options
        self._idempotence = idempotence
        self._deadline_seconds = deadline_seconds
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._retiring: set[asyncio.Task[None]] = set()

    async def current(self) -> AIOKafkaProducer:
        """Returns the producer to send with, and starts one if there is none. Raises PublishError."""
        if self._producer is None:
            async with self._starting:
                if self._producer is None:
                    self._producer = await start_producer(self._options, self._idempotence, self._deadline_seconds)
        return self._producer

    def replace(self, failed: AIOKafkaProducer) -> None:
        """Has the next event sent with another producer; what else the failed one holds is still sent by it."""
        if self._producer is failed:
            self._producer = None
            task = asyncio.create_task(_stop(failed, self._deadline_seconds))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def close(self) -> None:
        """Stops all producers. Nobody awaits what they still hold; the brokers get a moment to take it."""
        if self._producer is not None:
            await _stop(self._producer, _LAST_MOMENT_SECONDS)
            self._producer = None
        await asyncio.gather(*self._retiring)


async def _stop(producer: AIOKafkaProducer, within_seconds: float) -> None:
    try:
        await stop_producer(producer, within_seconds)
    except KafkaError as error:
        _log.warning("a producer did not stop cleanly: %s", kind_of(error))
