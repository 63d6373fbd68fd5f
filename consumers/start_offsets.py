"""Where to start reading: where the store says, unless the topic no longer, or not yet, reaches there."""

import asyncio
import logging
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition

from consumers.progress import Progress
from service.store.writer import StoreWriter, StripeBatch

_log = logging.getLogger(__name__)

# An embedded broker reports ends a little short for a moment; a topic made anew stays short.
_END_CHECKS = 5
_END_CHECK_SECONDS = 0.5


async def find_starts(consumer: AIOKafkaConsumer, topic: str, progress: Progress) -> tuple[dict[int, int], list[int]]:
    """Per partition the offset to start from, and the partitions that end before what the store has applied.

    Offsets that retention has taken are skipped, never silently. Raises KafkaError.
    """
    tps = [TopicPartition(topic, partition) for partition in progress.partitions]
    if not tps:
        return {}, []
    beginnings = await consumer.beginning_offsets(tps)
    starts = {}
    for tp in tps:
        stored, beginning = progress.positions[tp.partition], beginnings[tp]
        starts[tp.partition] = max(stored, beginning)
        if beginning > stored:
            _log.error(
                "records were deleted from the topic before they were applied",
                extra={"partition": tp.partition, "from_offset": stored, "to_offset": beginning},
            )
    ahead = await _ahead(consumer, [tp for tp in tps if starts[tp.partition] > 0], starts)
    for partition in ahead:
        starts[partition] = beginnings[TopicPartition(topic, partition)]
    return starts, ahead


async def _ahead(consumer: AIOKafkaConsumer, tps: Iterable[TopicPartition], starts: dict[int, int]) -> list[int]:
    """Partitions whose log ends before their start, and stays so."""
    waiting = list(tps)
    for check in range(_END_CHECKS):
        if not waiting:
            break
        if check:
            await asyncio.sleep(_END_CHECK_SECONDS)
        ends = await consumer.end_offsets(waiting)
        waiting = [tp for tp in waiting if ends[tp] < starts[tp.partition]]
    return [tp.partition for tp in waiting]


async def restart_stripes(writer: StoreWriter, partitions: int, progress: Progress, restarts: dict[int, int]) -> None:
    """Moves every stripe back to these offsets, for partitions whose topic was made anew.

    What was applied stays: events that come again change nothing. Raises what StoreWriter.apply raises.
    """
    for partition, offset in restarts.items():
        _log.error(
            "the topic ends before what the store has applied; reading it from its beginning",
            extra={"partition": partition, "stored_offset": progress.positions[partition], "beginning": offset},
        )
    await writer.apply(
        partitions,
        [
            StripeBatch(stripe, [progress.restart(stripe, partition, offset) for partition, offset in restarts.items()])
            for stripe in progress.stripes
        ],
    )
