"""Watches the topic, which may get partitions, and may be deleted and made anew under the same name.

A partition that was not there at a look holds nothing that was published before that look. So a consumer's watermarks
hold only up to the last look, and only if that look found the topic that the consumer reads.
"""

import asyncio
import logging
from collections.abc import Callable

from aiokafka import AIOKafkaClient
from aiokafka.errors import KafkaError
from redis.backoff import ExponentialWithJitterBackoff

from consumers.kafka.absence import why_away
from consumers.kafka.metadata import TopicState, describe_topic, read_cleanup_policy
from service.runtime.trouble import Trouble

_LOOK_SECONDS = 0.25

_log = logging.getLogger(__name__)


class OtherTopicError(Exception):
    """Says that the topic was deleted and made anew: offsets of the old topic mean nothing in the new one."""


class TopicWatch:
    """Holds the topic as the broker last described it, at `looked_ms` (Unix ms, by the clock given)."""

    def __init__(self, client: AIOKafkaClient, topic: str, now_ms: Callable[[], int]) -> None:
        self._client = client
        self._topic = topic
        self._now_ms = now_ms
        self.state = TopicState("", 0)
        self.looked_ms = 0

    async def look(self) -> TopicState:
        """Asks the broker to describe the topic now, and awaits the answer. Raises KafkaError."""
        now_ms = self._now_ms()
        self.state = await describe_topic(self._client, self._topic)
        self.looked_ms = now_ms
        return self.state

    async def cleanup_policy(self) -> str:
        """Asks the broker how the topic is cleaned up, see read_cleanup_policy. Raises KafkaError."""
        return await read_cleanup_policy(self._client, self._topic)

    async def run(self) -> None:
        """Looks at the topic again and again until cancelled, less often while the broker does not answer.

        A Consumer runs it beside the worker.
        """
        trouble = Trouble()
        backoff, failures = ExponentialWithJitterBackoff(base=_LOOK_SECONDS, cap=5.0), 0
        while True:
            try:
                await self.look()
            except KafkaError as error:
                failures += 1
                fields = trouble.note(reason := why_away(error))
                if fields is not None:
                    fields |= {"topic": self._topic, "reason": reason}
                    _log.warning("the broker does not describe the topic", extra=fields)
            else:
                failures, fields = 0, trouble.end()
                if fields is not None:
                    _log.info("the broker describes the topic again", extra={"topic": self._topic, **fields})
            await asyncio.sleep(backoff.compute(failures) if failures else _LOOK_SECONDS)
