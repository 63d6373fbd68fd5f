"""Commits offsets to Kafka, for tools that show lag. A consumer never starts there, but at the store's offsets."""

import asyncio
import logging
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from service.runtime.trouble import Trouble

_log = logging.getLogger(__name__)


class Committer:
    """Commits offsets in the background, at most once an interval; it gives up a commit that takes too long."""

    def __init__(self, consumer: AIOKafkaConsumer, topic: str, interval_seconds: float, timeout_seconds: float) -> None:
        self._consumer = consumer
        self._topic = topic
        self._interval_seconds = interval_seconds
        self._timeout_seconds = timeout_seconds
        self._next = 0.0
        self._trouble = Trouble()
        self._committed: dict[int, int] = {}
        self._task: asyncio.Task[None] | None = None

    def offer(self, positions: Mapping[int, int]) -> None:
        """Begins to commit these applied offsets if the interval has passed and no commit is under way."""
        now = asyncio.get_running_loop().time()
        if now >= self._next and (self._task is None or self._task.done()):
            self._next = now + self._interval_seconds
            self._task = asyncio.create_task(self._commit(dict(positions)))

    async def flush(self, positions: Mapping[int, int]) -> None:
        """Commits these applied offsets now; awaits a commit under way, and then its own."""
        if self._task is not None:
            await self._task
        await self._commit(dict(positions))

    async def _commit(self, positions: dict[int, int]) -> None:
        owned = {tp.partition for tp in self._consumer.assignment()}
        changed = {p: offset for p, offset in positions.items() if p in owned and self._committed.get(p) != offset}
        if not changed:
            return
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._consumer.commit({TopicPartition(self._topic, p): offset for p, offset in changed.items()})
        except (KafkaError, IllegalStateError, TimeoutError) as error:
            fields = self._trouble.note(type(error).__name__)
            if fields is not None:
                _log.warning("offsets not committed", extra={"offsets": changed, "error": repr(error), **fields})
            return
        fields = self._trouble.end()
        if fields is not None:
            _log.info("offsets are committed again", extra=fields)
        self._committed.update(changed)
