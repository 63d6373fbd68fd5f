"""Finds the partitions that cannot be read from the store's offsets, and to which offsets they must be moved.

The topic may no longer have the records at those offsets, or may be another topic.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from consumers.kafka.aiokafka_private import Reader
from consumers.kafka.metadata import TopicState
from consumers.kafka.topic_offsets import ask_each
from consumers.offsets.stripe_offsets import StripeOffsets
from service.store.layout.gaps import Gap
from service.store.write.writer import Step, StripeBatch

_log = logging.getLogger(__name__)

_FETCH_TIMEOUT_MS = 2_000


@dataclass(frozen=True, slots=True)
class Moves:
    """Says to which offset each partition must be moved before anything is read."""

    back: dict[int, int] = field(default_factory=dict)
    """Partitions whose log was made anew, with the offset where the log begins."""
    forward: dict[int, int] = field(default_factory=dict)
    """Partitions of which the topic no longer has the records before an offset, with that offset."""
    unanswered: dict[int, KafkaError] = field(default_factory=dict)
    """Partitions of which no broker says now whether they must be moved, with the error."""

    def batches(self, offsets: StripeOffsets, now_ms: int) -> list[StripeBatch]:
        """Returns the batches that move each stripe, with the gaps that the moves leave; `now_ms` dates the gaps."""
        batches = []
        for stripe in offsets.stripes:
            steps, gaps = [], []
            for partition in offsets.partitions:
                stored = offsets.stored(stripe, partition)
                target = self.back.get(partition, max(stored, self.forward.get(partition, 0)))
                missing_from = 0 if partition in self.back else stored
                if target != stored:
                    steps.append(Step(partition, stored, target, 0))
                if target > missing_from:
                    gaps.append(Gap(partition, missing_from, target, now_ms))
            if steps:
                batches.append(StripeBatch(stripe, steps, generation=offsets.generation(stripe), gaps=gaps))
        return batches


async def find_moves(consumer: Reader, name: str, topic: TopicState, offsets: StripeOffsets) -> Moves:
    """Compares the store's offsets with the topic's, and returns the moves that are needed.

    Synchronizer and Rebuild call it. Awaits the broker's answers. Raises KafkaError.
    """
    tps = [TopicPartition(name, partition) for partition in offsets.partitions]
    begin = await ask_each(consumer.beginning_offsets, tps, topic)
    old = [tp for tp in begin.offsets if offsets.positions[tp.partition] > 0]
    held = [tp for tp in old if offsets.positions[tp.partition] >= begin.offsets[tp]]
    end = await ask_each(consumer.end_offsets, held, topic)
    ahead = await _ahead(consumer, end.offsets, offsets)
    moves = Moves(unanswered={tp.partition: error for tp, error in {**begin.errors, **end.errors}.items()})
    for tp, beginning in begin.offsets.items():
        stored = offsets.positions[tp.partition]
        if tp.partition in moves.unanswered:
            continue
        if tp.partition in ahead:
            moves.back[tp.partition] = beginning
            _log.error(
                "the topic is another than the one that the store has applied; reading it from its beginning",
                extra={"partition": tp.partition, "stored_offset": stored, "beginning": beginning},
            )
        elif stored < beginning:
            moves.forward[tp.partition] = beginning
            _log.error(
                "records were deleted from the topic before they were applied",
                extra={"partition": tp.partition, "from_offset": stored, "to_offset": beginning},
            )
    return moves


async def _ahead(consumer: Reader, ends: Mapping[TopicPartition, int], offsets: StripeOffsets) -> list[int]:
    """Returns the partitions whose log ends before the store's offset."""
    short = [tp for tp, end in ends.items() if end < offsets.positions[tp.partition]]
    return [tp.partition for tp in short if not await _reaches(consumer, tp, offsets.positions[tp.partition])]


async def _reaches(consumer: Reader, tp: TopicPartition, start: int) -> bool:
    """Returns whether a record lies right before `start`; awaits a poll.

    The end that the broker gives is not proof enough: an embedded broker says that a log's last batch has one record.
    """
    consumer.seek(tp, start - 1)
    consumer.resume(tp)
    try:
        polled = await consumer.getmany(tp, timeout_ms=_FETCH_TIMEOUT_MS, max_records=1)
        return bool(polled) or tp in consumer.unreadable  # a batch that cannot be read lies there
    except OffsetOutOfRangeError:
        return False
    finally:
        consumer.pause(tp)
