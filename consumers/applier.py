"""Carries one batch out: dead letters first, then one script per stripe; what is believed moves only afterwards."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka.errors import KafkaError

from consumers.batches import Batch
from consumers.dead_letters import DeadLetterQueue
from consumers.metrics import ConsumerMetrics
from consumers.progress import Progress
from service.store.writer import StoreWriter, StripeBatch


class DeadLettersUnavailableError(Exception):
    """Dead letters could not be written; the batch that they are from must wait."""


@dataclass(frozen=True, slots=True)
class Applier:
    """What a batch needs on its way out; `partitions` is the number that the topic has."""

    writer: StoreWriter
    dead_letters: DeadLetterQueue
    metrics: ConsumerMetrics
    progress: Progress
    partitions: int

    async def apply(self, batch: Batch, watermarks_ms: Mapping[int, int], everywhere: bool) -> None:
        """Writes a batch to the stripes it has events for, or to all, so that idle ones learn of the progress.

        Raises what the dead-letter topic and the store raise; then nothing of what is believed holds any more.
        """
        started = time.perf_counter()
        letters = [letter for letter in batch.dead_letters if letter.offset >= self.progress.settled[letter.partition]]
        # before the offsets: once the store is past a record, nobody reads it again
        try:
            await self.dead_letters.send(letters)
        except KafkaError as error:
            raise DeadLettersUnavailableError(f"writing {len(letters)} dead letters: {error!r}") from error
        for letter in letters:
            self.metrics.dead_letters.labels(letter.reason).inc()
        positions = {**self.progress.positions, **batch.positions}
        batches = [
            StripeBatch(
                stripe,
                self.progress.steps(stripe, positions, watermarks_ms),
                batch.stripes.get(stripe, ()),
                self.progress.generation(stripe),
            )
            for stripe in (self.progress.stripes if everywhere else batch.stripes)
        ]
        await self.writer.apply(self.partitions, batches)
        for each in batches:
            self.progress.written(each.stripe, each.steps)
        self.progress.positions.update(positions)
        self._measure(batch, watermarks_ms, time.perf_counter() - started)

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
