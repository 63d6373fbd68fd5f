"""Finds out where the store is, and moves it to where the topic lets it be read from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka.errors import KafkaError

from consumers.aiokafka_private import Reader
from consumers.metrics import ConsumerMetrics
from consumers.progress import Progress
from consumers.start_offsets import Moves, find_moves
from consumers.topic_watch import TopicWatch
from service.store.eviction import check_eviction
from service.store.gaps import count_skipped, read_gaps
from service.store.layout import Head
from service.store.topic_ids import read_topic_ids, write_topic_ids
from service.store.writer import StoreWriter


@dataclass(frozen=True, slots=True)
class Synchronized:
    """Where the store is, and the partitions that cannot be read yet, as nobody tells whether they reach there."""

    progress: Progress
    unanswered: Mapping[int, KafkaError]


@dataclass(frozen=True, slots=True)
class Synchronizer:
    """What it takes to compare store and topic."""

    consumer: Reader
    writer: StoreWriter
    watch: TopicWatch
    metrics: ConsumerMetrics
    topic: str
    now_ms: Callable[[], int]

    async def synchronize(self, partitions: Sequence[int], is_ours: Callable[[], bool]) -> Synchronized | None:
        """Where the store is in these partitions. None: it had to be moved, or they are no longer ours; ask again.

        Raises what the store raises, EvictionError, and KafkaError.
        """
        await check_eviction(self.writer.client)
        heads = await self.writer.read_heads()
        stored_ids = await read_topic_ids(self.writer.client)
        topic = await self.watch.look()
        progress = Progress(heads, partitions)
        unlike = [p for p in partitions if topic.topic_id != stored_ids.get(p)] if topic.topic_id else []
        made_anew = [p for p in unlike if p in stored_ids]
        moves = await find_moves(self.consumer, self.topic, topic, progress, made_anew)
        if not is_ours():
            return None
        batches = moves.batches(progress, self.now_ms())
        await self.writer.apply(topic.partitions, batches)
        moved = [p for p in unlike if p not in moves.unanswered]
        if moved:  # after the moves: until all stripes are moved the offsets are of the other topic
            await write_topic_ids(self.writer.client, dict.fromkeys(moved, topic.topic_id))
        if batches:
            self._count_gaps(moves)
            return None
        await self._measure_gaps(heads, partitions)
        return Synchronized(progress, moves.unanswered)

    def _count_gaps(self, moves: Moves) -> None:
        self.metrics.gaps.inc(sum(offset > 0 for offset in {**moves.back, **moves.forward}.values()))

    async def _measure_gaps(self, heads: Sequence[Head], partitions: Sequence[int]) -> None:
        skipped: Mapping[int, int] = count_skipped((await read_gaps(self.writer.client, heads)).values())
        for partition in partitions:
            self.metrics.gap_records.labels(partition).set(skipped.get(partition, 0))
