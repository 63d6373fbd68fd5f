"""Keeps an eye on the topic: it may get partitions, and may be deleted and made anew under the same name.

Nothing that was published before a look is in a partition that was not there at that look. So what a consumer says of
the past (its watermarks) holds only up to the last look, and only if that look found the topic that it reads.
"""

import asyncio
import logging
from collections.abc import Callable

from aiokafka import AIOKafkaClient
from aiokafka.errors import KafkaError
from redis.backoff import ExponentialWithJitterBackoff

from consumers.kafka.metadata import TopicState, describe_topic

_LOOK_SECONDS = 0.25

_log = logging.getLogger(__name__)


class OtherTopicError(Exception):
    """The topic was deleted and made anew: offsets of the one are no offsets of the other."""


class TopicWatch:
    """The topic as it was when the broker was last asked, at `looked_ms` (Unix ms, by the clock given)."""

    def __init__(self, client: AIOKafkaClient, topic: str, now_ms: Callable[[], int]) -> None:
        self._client = client
        self._topic = topic
        self._now_ms = now_ms
        self.state = TopicState("", 0)
        self.looked_ms = 0

    async def look(self) -> TopicState:
        """Asks the broker now. Raises KafkaError."""
        now_ms = self._now_ms()
        self.state = await describe_topic(self._client, self._topic)
        self.looked_ms = now_ms
        return self.state

    async def run(self) -> None:
        """Asks again and again until cancelled; a broker that does not answer is asked less often."""
        backoff, failures = ExponentialWithJitterBackoff(base=_LOOK_SECONDS, cap=5.0), 0
        while True:
            try:
                await self.look()
                failures = 0
            except KafkaError as error:
                failures += 1
                if failures == 1:
                    _log.warning("the broker does not describe the topic", extra={"error": repr(error)})
            await asyncio.sleep(backoff.compute(failures) if failures else _LOOK_SECONDS)
