"""Reads the store's offsets, and moves the store where the topic cannot be read from them.

The worker does so before it reads, and again after each resync.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from aiokafka.errors import KafkaError

from consumers.kafka.aiokafka_private import Reader
from consumers.kafka.metadata import TopicState
from consumers.kafka.topic_watch import TopicWatch
from consumers.metrics import ConsumerMetrics
from consumers.offsets.moves import Moves, find_moves
from consumers.offsets.stripe_offsets import StripeOffsets
from consumers.upkeep.store_watch import StoreWatch
from service.store.layout.gaps import count_skipped
from service.store.layout.heads import Head
from service.store.write.gaps import read_gaps
from service.store.write.rights import check_rights
from service.store.write.topic_name import claim_topic_name
from service.store.write.writer import StoreWriter, StripeBatch

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Synchronized:
    """Holds the store's offsets in a topic, and the partitions of which no broker says whether they reach that far.

    Of a topic that is compacted records before these offsets may be missing, though not what replaces them.
    """

    offsets: StripeOffsets
    topic: TopicState
    unanswered: Mapping[int, KafkaError]
    is_compacted: bool


@dataclass(frozen=True, slots=True)
class Synchronizer:
    """Compares store and topic, and moves the store where the topic cannot be read from the store's offsets."""

    consumer: Reader
    writer: StoreWriter
    watch: TopicWatch
    store_watch: StoreWatch
    metrics: ConsumerMetrics
    topic: str
    now_ms: Callable[[], int]

    async def synchronize(self, partitions: Sequence[int], is_ours: Callable[[], bool]) -> Synchronized | None:
        """Returns the store's offsets of these partitions, or None if the caller must ask again.

        It must where the store had to be moved, or where the partitions are no longer this consumer's (`is_ours`). The
        worker awaits it before it reads. Raises what the store raises, EvictionError, TopicNameError, and KafkaError.
        """
        await self.store_watch.look()
        await check_rights(self.writer.client)
        await claim_topic_name(self.writer.client, self.topic)
        heads = await self.writer.read_heads()
        topic = await self.watch.look()
        is_compacted = "compact" in await self.watch.cleanup_policy()
        strangers = [stripe for stripe, head in enumerate(heads) if topic.is_of_another(head)]
        if strangers:
            await self._adopt(topic, heads, strangers)
            return None
        offsets = StripeOffsets(heads, partitions)
        moves = await find_moves(self.consumer, self.topic, topic, offsets)
        if not is_ours():
            return None
        batches = [replace(batch, topic_id=topic.id_bytes) for batch in moves.batches(offsets, self.now_ms())]
        await self.writer.apply(topic.partitions, batches)
        if batches:
            self._count_gaps(moves)
            return None
        skipped: Mapping[int, int] = count_skipped((await read_gaps(self.writer.client, heads)).values())
        if not is_ours():
            return None
        for partition in partitions:
            self.metrics.gap_records.labels(partition).set(skipped.get(partition, 0))
        return Synchronized(offsets, topic, moves.unanswered, is_compacted)

    async def _adopt(self, topic: TopicState, heads: Sequence[Head], stripes: Sequence[int]) -> None:
        """Turns stripes of another topic into stripes of this one, at its beginning; the other's jobs still count."""
        _log.error(
            "the topic is another than the one that the store has applied; reading it from its beginning",
            extra={"topic": self.topic, "topic_id": topic.topic_id, "stripes": len(stripes)},
        )
        adopting = [
            StripeBatch(stripe, (), (), heads[stripe].generation, topic_id=topic.id_bytes, adopts=True)
            for stripe in stripes
        ]
        await self.writer.apply(topic.partitions, adopting)

    def _count_gaps(self, moves: Moves) -> None:
        self.metrics.gaps.inc(sum(offset > 0 for offset in {**moves.back, **moves.forward}.values()))
