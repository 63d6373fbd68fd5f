"""Where to start reading: where the store says, unless the topic no longer, or not yet, reaches there."""

import logging

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from consumers.progress import Progress
from service.store.writer import StoreWriter, StripeBatch

_log = logging.getLogger(__name__)

_FETCH_TIMEOUT_MS = 2_000


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


async def _ahead(consumer: AIOKafkaConsumer, tps: list[TopicPartition], starts: dict[int, int]) -> list[int]:
    """Partitions whose log ends before their start."""
    ends = await consumer.end_offsets(tps)
    short = [tp for tp in tps if ends[tp] < starts[tp.partition]]
    return [tp.partition for tp in short if not await _reaches(consumer, tp, starts[tp.partition])]


async def _reaches(consumer: AIOKafkaConsumer, tp: TopicPartition, start: int) -> bool:
    """Whether a record right before the start is there: an embedded broker says a log's last batch has one record."""
    consumer.seek(tp, start - 1)
    consumer.resume(tp)
    try:
        return bool(await consumer.getmany(tp, timeout_ms=_FETCH_TIMEOUT_MS, max_records=1))
    except OffsetOutOfRangeError:
        return False
    finally:
        consumer.pause(tp)


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
            StripeBatch(
                stripe,
                [progress.restart(stripe, partition, offset) for partition, offset in restarts.items()],
                generation=progress.generation(stripe),
            )
            for stripe in progress.stripes
        ],
    )
