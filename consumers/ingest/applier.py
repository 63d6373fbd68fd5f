"""Writes one batch: first its dead letters, then one script call for each stripe, then the events that were refused."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from aiokafka.errors import KafkaError

from consumers.dead_letters.letter import DeadLetter
from consumers.dead_letters.queue import DeadLetterQueue, LetterTooLargeError
from consumers.ingest.batch import Batch, Portion
from consumers.ingest.phases import Timed, untimed
from consumers.ingest.sifting import Mend, sift
from consumers.kafka.denials import explain
from consumers.kafka.metadata import TopicState
from consumers.offsets.stripe_offsets import StripeOffsets
from service.runtime.trouble import Trouble
from service.store.errors import RefusedError
from service.store.layout.heads import Claim, pack_partitions
from service.store.write.batch import ProjectBatch
from service.store.write.writer import StoreWriter, StripeBatch

_log = logging.getLogger(__name__)


class DeadLettersUnavailableError(Exception):
    """Says that dead letters could not be written; the batch that they are from must wait."""


@dataclass(slots=True)
class Counts:
    """Counts the records that were applied, and by reason those of them that became dead letters."""

    records: int = 0
    dead_letters: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Applier:
    """Writes batches to the store, at the offsets of the given topic.

    Without a queue it only counts dead letters: a rebuild reads records again, and must not send their letters again.
    """

    writer: StoreWriter
    dead_letters: DeadLetterQueue | None
    mend: Mend
    offsets: StripeOffsets
    topic: TopicState
    now_ms: Callable[[], int]
    timed: Timed = untimed
    refusals: Trouble = field(default_factory=Trouble)

    async def apply(
        self, batch: Batch, watermarks_ms: Mapping[int, int], others: Iterable[int], horizon_ms: int
    ) -> Counts:
        """Writes a batch to the stripes that it has events for, and moves the heads of the stripes in `others`.

        Readings and rebuilds await it. Events that the store refuses become dead letters. Raises
        DeadLettersUnavailableError, and what StoreWriter.try_apply and `mend` raise. After an error the offsets may
        differ from those of the store.
        """
        # letters go before the offsets: once the store is past a record, nobody reads it again
        letters = [each for each in batch.dead_letters if each.offset >= self.offsets.settled[each.partition]]
        with self.timed("letters"):
            await self._send(letters)
        positions = {**self.offsets.positions, **batch.positions}
        batches = {
            stripe: self._stripe_batch(stripe, positions, watermarks_ms, horizon_ms, batch.stripes.get(stripe, ()))
            for stripe in sorted({*batch.stripes, *others})
        }
        with self.timed("apply"):
            refused = await self._write(list(batches.values()))
        if refused:
            with self.timed("sift"):
                for stripe, refusal in refused.items():
                    letters += await self._sift(batches[stripe], refusal, batch.portions)
        self.offsets.positions.update(positions)
        return Counts(batch.records, Counter(letter.reason for letter in letters))

    async def claim(self, watermarks_ms: Mapping[int, int], horizon_ms: int) -> None:
        """Writes a claim of the watermarks to all stripes, and moves the heads of those that another write has moved.

        A Reading awaits it. Raises what the store raises: FencedError where a stripe is not at its expected offsets.
        """
        claim = Claim(min(watermarks_ms.values()), pack_partitions(self.offsets.partitions))
        positions = self.offsets.positions
        with self.timed("claim"):
            moved = await self.writer.claim(self.topic.partitions, claim, self.offsets.moved_ids, self.now_ms())
            behind = [self._stripe_batch(stripe, positions, watermarks_ms, horizon_ms, ()) for stripe in moved]
            await self._write(behind)

    def _stripe_batch(
        self,
        stripe: int,
        positions: Mapping[int, int],
        watermarks_ms: Mapping[int, int],
        horizon_ms: int,
        projects: Sequence[ProjectBatch],
    ) -> StripeBatch:
        return StripeBatch(
            stripe,
            self.offsets.steps(stripe, positions, watermarks_ms),
            projects,
            self.offsets.generation(stripe),
            horizon_ms,
            topic_id=self.topic.id_bytes,
            now_ms=self.now_ms(),
        )

    async def _write(self, batches: Sequence[StripeBatch]) -> Mapping[int, RefusedError]:
        """Writes batches, and notes which stripes have moved; returns the refusals by stripe."""
        applied = await self.writer.try_apply(self.topic.partitions, batches)
        for batch in batches:
            if batch.stripe in applied.moved_ids:  # else a rebuild's generation is live already, and not its to write
                self.offsets.written(batch, applied.moved_ids[batch.stripe])
        return applied.refused

    async def _send(self, letters: Sequence[DeadLetter]) -> None:
        if self.dead_letters is None:
            return
        try:
            await self.dead_letters.send(letters)
        except KafkaError as error:
            if isinstance(error, LetterTooLargeError):
                told = self.refusals.note("too large")
                if told is not None:
                    about = {"partition": error.partition, "offset": error.offset, "detail": str(error)}
                    _log.error("a dead letter is too large for its topic; its partition waits", extra={**about, **told})
            why = explain(error) or repr(error)
            raise DeadLettersUnavailableError(f"writing {len(letters)} dead letters: {why}") from error

    async def _sift(
        self, batch: StripeBatch, refusal: RefusedError, portions: Sequence[Portion]
    ) -> Sequence[DeadLetter]:
        """Applies all of a stripe's batch except the events that the store refuses, and moves the stripe past them."""
        letters = await sift(self.writer, self.topic.partitions, batch, portions, self.mend)
        told = self.refusals.note(f"{refusal.project_id} {refusal.problem}") if letters else None
        if told is not None:
            about = {"stripe": batch.stripe, "project_id": refusal.project_id, "detail": refusal.problem}
            about |= {"letters": len(letters), "partition": letters[0].partition, "offset": letters[0].offset}
            _log.error("the store refuses events; they become dead letters", extra={**about, **told})
        await self._send(letters)
        await self._write([replace(batch, projects=())])
        return letters
