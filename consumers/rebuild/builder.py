"""Reads the topic from its beginning into a new generation beside the live one, and swaps the two.

Consumers write and the API answers meanwhile. The offsets that the new generation has reached are in its own heads:
a rebuild that was interrupted goes on from there when it is run again.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial

from aiokafka import AIOKafkaClient, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from consumers.ingest.applier import Applier, Counts
from consumers.ingest.batch import Batch, read_batch
from consumers.kafka.aiokafka_private import Reader
from consumers.kafka.metadata import TopicState, describe_topic, read_cleanup_policy
from consumers.offsets.moves import Moves, find_moves
from consumers.offsets.stripe_offsets import StripeOffsets
from consumers.policy import MAX_BATCH_RECORDS
from consumers.rebuild.losses import JobsWouldBeLostError, find_losses
from consumers.upkeep.sweeping import find_horizon_ms
from service.store.errors import RefusedError
from service.store.generations import Building, BuildingWriter, GenerationError, Generations
from service.store.write.gaps import read_gaps

_POLL_TIMEOUT_MS = 50
_COMPACTING = "compact"  # alone: what is missing then has been replaced
_EVENT_IS_WRONG = ("COLLISION", "OVERFLOW")  # refused whatever the store holds, and so a dead letter already

ShowProgress = Callable[[int], AbstractContextManager[Callable[[int], None]]]
"""Takes the number of offsets to read, and yields a function that is called with how many more have been read."""


@dataclass(frozen=True, slots=True)
class RebuildPolicy:
    """Says which topic a rebuild reads, and whether offsets that the topic no longer has may become gaps."""

    topic: str
    retention_days: int | None
    accept_gaps: bool
    now_ms: Callable[[], int]
    batch_records: int = MAX_BATCH_RECORDS


@dataclass(slots=True)
class Rebuild:
    """Builds one generation, from nothing or from what an interrupted rebuild has left."""

    consumer: Reader
    kafka: AIOKafkaClient
    generations: Generations
    policy: RebuildPolicy
    show_progress: ShowProgress
    _counts: Counts = field(default_factory=Counts, init=False)

    async def run(self) -> tuple[int, Counts]:
        """Builds the new generation, and once it is live returns its number and the counts of what was read into it.

        Raises JobsWouldBeLostError, GenerationError, what the store raises, UnreadableError, and other KafkaErrors.
        """
        while True:
            building = await self.generations.look()
            topic = await describe_topic(self.kafka, self.policy.topic)
            applier = await self._synchronize(building, topic)
            if applier is not None and await self._chase(building, applier, topic):
                return building.generation, self._counts

    async def _synchronize(self, building: Building, topic: TopicState) -> Applier | None:
        """Compares the new generation with the topic, and seeks to its offsets.

        Returns None if the generation had to be begun or moved. Raises JobsWouldBeLostError if the topic no longer has
        what is counted now.
        """
        tps = self._tps(topic)
        self.consumer.assign(tps)
        self.consumer.pause(*tps)  # nothing may be awaited before the pause: the reader would begin to fetch
        writer = BuildingWriter(self.generations.client, building)
        offsets = StripeOffsets(await writer.read_heads(), range(topic.partitions))
        moves = await self._find_moves(building, offsets, topic)
        if moves.forward and not self.policy.accept_gaps:
            await self._check_losses(building, offsets, moves)
        if any(building.heads[stripe] is None for stripe in building.stripes):
            await self.generations.begin(building, topic.id_bytes)
            return None
        batches = [replace(each, topic_id=topic.id_bytes) for each in moves.batches(offsets, self.policy.now_ms())]
        if batches:
            await writer.apply(topic.partitions, batches)
            return None
        for tp in tps:
            self.consumer.seek(tp, offsets.positions[tp.partition])
        self.consumer.resume(*tps)
        return Applier(writer, None, partial(_judge, building.generation), offsets, topic, self.policy.now_ms)

    async def _find_moves(self, building: Building, offsets: StripeOffsets, topic: TopicState) -> Moves:
        """Returns how the new generation must move. Raises GenerationError if either generation is of another topic."""
        live = StripeOffsets(building.live, range(topic.partitions))
        built = [head for head in building.heads if head is not None]
        moves = []
        for each in (live, offsets):
            found = await find_moves(self.consumer, self.policy.topic, topic, each)
            for error in found.unanswered.values():
                raise error
            moves.append(found)
        if moves[0].back or any(map(topic.is_of_another, building.live)):
            raise GenerationError(
                "what is live is of another topic than the one that is there now; a consumer moves it, when it runs"
            )
        if moves[1].back or any(map(topic.is_of_another, built)):
            raise GenerationError(
                f"generation {building.generation} was begun from another topic than the one that is there now;"
                " discard it"
            )
        return moves[1]

    async def _check_losses(self, building: Building, offsets: StripeOffsets, moves: Moves) -> None:
        if await read_cleanup_policy(self.kafka, self.policy.topic) != _COMPACTING:  # which deletes nothing for its age
            ledgers = await read_gaps(self.generations.client, building.live)
            lost = find_losses(building.live, ledgers, offsets, moves.forward)
            if lost:
                raise JobsWouldBeLostError(lost)

    async def _chase(self, building: Building, applier: Applier, topic: TopicState) -> bool:
        """Reads and applies until the new generation is live; returns False if everything must be looked up anew."""
        ends = await self.consumer.end_offsets(self._tps(topic))
        writing: asyncio.Task[None] | None = None
        read = sum(applier.offsets.positions.values())
        try:
            with self.show_progress(max(0, sum(ends.values()) - read)) as advance:
                while True:
                    batch = await self._read()
                    if writing is not None:
                        await writing
                    # after the last record may lie marks of transactions, and records that were compacted away
                    batch.positions |= {tp.partition: await self.consumer.position(tp) for tp in ends}
                    reached = sum(batch.positions.values())
                    advance(reached - read)
                    read = reached
                    writing = asyncio.create_task(self._apply(applier, batch))
                    if batch.drained and all(batch.positions[tp.partition] >= end for tp, end in ends.items()):
                        await writing
                        is_live = await self._swap(building, topic)
                        if is_live is not None:
                            return is_live
        except OffsetOutOfRangeError:
            return False
        finally:
            if writing is not None:
                await asyncio.wait([writing])

    async def _swap(self, building: Building, topic: TopicState) -> bool | None:
        """Swaps the generations, and returns whether the new one is live now.

        Returns None if reading must go on first, and False if everything must be looked up anew.
        """
        if await describe_topic(self.kafka, self.policy.topic) != topic:
            return False
        behind = await self.generations.swap(building)
        if not behind:
            return True
        return None if len(behind) == len(building.stripes) else False

    def _tps(self, topic: TopicState) -> list[TopicPartition]:
        return [TopicPartition(self.policy.topic, partition) for partition in range(topic.partitions)]

    async def _apply(self, applier: Applier, batch: Batch) -> None:
        horizon_ms = find_horizon_ms(self.policy.now_ms(), self.policy.retention_days)
        # in all stripes: one without events would still be at its beginning when an interrupted rebuild goes on
        counts = await applier.apply(batch, {}, applier.offsets.stripes, horizon_ms)
        self._counts.records += counts.records
        self._counts.dead_letters += counts.dead_letters

    async def _read(self) -> Batch:
        batch = await read_batch(Batch(), self.consumer, _POLL_TIMEOUT_MS, self.policy.batch_records, lambda: True)
        assert batch is not None  # noqa: S101 - a reader without a group keeps its partitions
        self.consumer.check_readable()
        return batch


async def _judge(generation: int, refusal: RefusedError) -> None:
    """Returns if a refusal blames the event; raises GenerationError if it blames the new generation.

    Nobody but the rebuild writes the new generation.
    """
    if not refusal.problem.startswith(_EVENT_IS_WRONG):
        raise GenerationError(f"generation {generation} is damaged: {refusal}; discard it") from refusal
