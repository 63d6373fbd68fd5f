"""Asks for a topic's offsets partition by partition, so that one without an answer does not keep the others waiting."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError, LeaderNotAvailableError

from consumers.kafka.metadata import TopicState
from service.runtime.tasks import cancel

AskOffsets = Callable[[Sequence[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]
"""Either `beginning_offsets` or `end_offsets` of a Kafka consumer."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Holds the offset of each partition that has answered, and the error of each other partition."""

    offsets: dict[TopicPartition, int] = field(default_factory=dict)
    errors: dict[TopicPartition, KafkaError] = field(default_factory=dict)


async def ask_each(
    ask: AskOffsets, tps: Sequence[TopicPartition], topic: TopicState, grace_seconds: float = 2.0
) -> Answers:
    """Asks for the offsets of all partitions at once, with one request each; a partition without a leader is not asked.

    Once one partition has answered or failed, the others have `grace_seconds` more.
    """
    answers = Answers()
    tasks: dict[TopicPartition, asyncio.Future[Mapping[TopicPartition, int]]] = {}
    for tp in tps:
        if topic.has_leader(tp.partition):
            tasks[tp] = asyncio.ensure_future(ask([tp]))
        else:
            answers.errors[tp] = LeaderNotAvailableError(f"partition {tp.partition} has no leader")
    try:
        if tasks:
            _, pending = await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_COMPLETED)
            if pending:
                await asyncio.wait(pending, timeout=grace_seconds)
        for tp, task in tasks.items():
            if not task.done():
                answers.errors[tp] = KafkaTimeoutError(f"partition {tp.partition} does not answer")
                continue
            try:
                answers.offsets[tp] = task.result()[tp]
            except KafkaError as error:
                answers.errors[tp] = error
    finally:
        await cancel(tasks.values())
        await asyncio.gather(*tasks.values(), return_exceptions=True)  # else asyncio logs unread exceptions
    return answers
