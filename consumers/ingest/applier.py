"""Carries one batch out: dead letters first, then one script per stripe; what is believed moves only afterwards."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from aiokafka.errors import KafkaError

from consumers.dead_letters.letter import DeadLetter
from consumers.dead_letters.queue import DeadLetterQueue, LetterTooLargeError
from consumers.ingest.batch import Batch
from consumers.ingest.mending import Mender
from consumers.ingest.sifting import KeptRecord, sift
from consumers.metrics import ConsumerMetrics
from consumers.offsets.progress import Progress
from service.store.errors import RefusedError
from service.store.layout.heads import Claim, pack_partitions
from service.store.write.batch import ProjectBatch
from service.store.write.writer import StoreWriter, StripeBatch

_log = logging.getLogger(__name__)


class DeadLettersUnavailableError(Exception):
    """Dead letters could not be written; the batch that they are from must wait."""


@dataclass(frozen=True, slots=True)
class Applier:
    """What a batch needs on its way out; `partitions` is the number that the topic with that id has.

    Without a queue dead letters are counted alone: who reads records again does not send their letters again. Without a
    mender what a script refuses is not looked into.
    """

    writer: StoreWriter
    dead_letters: DeadLetterQueue | None
    metrics: ConsumerMetrics
    progress: Progress
    partitions: int
    topic_id: bytes
    now_ms: Callable[[], int]
    mender: Mender | None = None

    async def apply(
        self, batch: Batch, watermarks_ms: Mapping[int, int], others: Iterable[int], horizon_ms: int
    ) -> None:
        """Writes a batch to the stripes that it has events for, and to others, so that they learn of the progress.

        Events that the store refuses become dead letters if the batch has kept its records. Raises what the dead-letter
        topic and the store raise, and MendedError; then nothing of what is believed holds any more.
        """
        started = time.perf_counter()
        # before the offsets: once the store is past a record, nobody reads it again
        await self._send([each for each in batch.dead_letters if each.offset >= self.progress.settled[each.partition]])
        positions = {**self.progress.positions, **batch.positions}
        batches = [
            self._stripe_batch(stripe, positions, watermarks_ms, horizon_ms, batch.stripes.get(stripe, ()))
            for stripe in sorted({*batch.stripes, *others})
        ]
        if batch.records_kept is None:
            await self._write(batches)
        else:
            await self._sift(batches, batch.records_kept)
        self.progress.positions.update(positions)
        self._measure(batch, watermarks_ms, time.perf_counter() - started)

    async def claim(self, watermarks_ms: Mapping[int, int], horizon_ms: int) -> None:
        """Lets all stripes know how fresh they are; those that somebody has moved are told with their offsets.

        Raises what the store raises: FencedError where a stripe is not where it is believed to be.
        """
        claim = Claim(min(watermarks_ms.values()), pack_partitions(self.progress.partitions))
        moved = await self.writer.claim(self.partitions, claim, self.progress.moved_ids, self.now_ms())
        positions = self.progress.positions
        await self._write([self._stripe_batch(stripe, positions, watermarks_ms, horizon_ms, ()) for stripe in moved])

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
            self.progress.steps(stripe, positions, watermarks_ms),
            projects,
            self.progress.generation(stripe),
            horizon_ms,
            topic_id=self.topic_id,
            now_ms=self.now_ms(),
        )

    async def _write(self, batches: Sequence[StripeBatch]) -> None:
        try:
            moved_ids = (await self.writer.apply(self.partitions, batches)).moved_ids
        except RefusedError as error:
            if self.mender is not None:
                await self.mender.mend(error)
            raise
        for batch in batches:
            if batch.stripe in moved_ids:  # else its generation is live already, and it is no business of a rebuild
                self.progress.written(batch, moved_ids[batch.stripe])

    async def _send(self, letters: Sequence[DeadLetter]) -> None:
        if self.dead_letters is None:
            for letter in letters:
                self.metrics.dead_letters.labels(letter.reason).inc()
            return
        try:
            await self.dead_letters.send(letters)
        except KafkaError as error:
            if isinstance(error, LetterTooLargeError):
                _log.error(
                    "a dead letter is too large for its topic; its partition waits", extra={"detail": str(error)}
                )
            raise DeadLettersUnavailableError(f"writing {len(letters)} dead letters: {error!r}") from error

    async def _sift(self, batches: Sequence[StripeBatch], records: Sequence[KeptRecord]) -> None:
        """Applies the batches stripe by stripe; the events that the store refuses become dead letters."""
        for batch in batches:
            try:
                await self._write([batch])
            except RefusedError as error:
                letters = await sift(self.writer, self.partitions, batch, records, self.mender)
                if letters:
                    _log.error(
                        "the store refuses events; they become dead letters",
                        extra={"stripe": batch.stripe, "letters": len(letters), "detail": str(error)},
                    )
                await self._send(letters)
                await self._write([replace(batch, projects=())])

    def _measure(self, batch: Batch, watermarks_ms: Mapping[int, int], seconds: float) -> None:
        metrics = self.metrics
        for partition, watermark_ms in watermarks_ms.items():
            metrics.watermark_seconds.labels(partition).set(watermark_ms / 1000)
        if not batch.records:
            return
        metrics.batches.inc()
        metrics.apply_seconds.observe(seconds)
        metrics.batch_records.observe(batch.records)
        metrics.records.inc(batch.records)
        metrics.last_applied_seconds.set(max(batch.timestamps_ms.values()) / 1000)
