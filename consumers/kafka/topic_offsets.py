"""Offsets of a topic, asked for partition by partition: one that does not answer does not keep the others waiting."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError, LeaderNotAvailableError

from consumers.kafka.metadata import TopicState
from consumers.waiting import cancel

AskOffsets = Callable[[Sequence[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]
"""`beginning_offsets` or `end_offsets` of a consumer."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The offset of each partition that has answered, and what each other one failed with."""

    offsets: dict[TopicPartition, int] = field(default_factory=dict)
    errors: dict[TopicPartition, KafkaError] = field(default_factory=dict)


async def ask_each(
    ask: AskOffsets, tps: Sequence[TopicPartition], topic: TopicState, grace_seconds: float = 2.0
) -> Answers:
    """Asks for all partitions at once, each with a request of its own; those without a leader are not asked about.

    Once one has answered, or failed, the others may take so many seconds more.
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
        await asyncio.gather(*tasks.values(), return_exceptions=True)  # else asyncio would log that nobody has looked
    return answers
