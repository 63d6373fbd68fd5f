"""The ingest loop: polls, decodes, and applies, with the next batch decoded while the store writes the last.

One task owns the consumer, the progress and the writes; the rebalance listener only ends what is under way and says
that everything must be looked up anew. Whatever goes wrong - a fence, a store that is away, an offset out of range,
dead letters that cannot be written - has one remedy: drop what is believed, ask the store where it is, and go on
from there. Events that are applied twice change nothing.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, NoOffsetForPartitionError, OffsetOutOfRangeError
from redis.backoff import ExponentialWithJitterBackoff

from consumers.applier import Applier, DeadLettersUnavailableError
from consumers.batches import Batch, read_batch
from consumers.commits import Committer
from consumers.dead_letters import DeadLetterQueue
from consumers.freshness import Freshness
from consumers.kafka import REBALANCE_TIMEOUT_MS
from consumers.metrics import ConsumerMetrics
from consumers.progress import Progress
from consumers.start_offsets import find_starts, restart_stripes
from service.store.contract import FencedError, RefusedError, StoreUnavailableError
from service.store.writer import StoreWriter

_log = logging.getLogger(__name__)

_DOUBTS = (
    StoreUnavailableError,
    FencedError,
    RefusedError,
    DeadLettersUnavailableError,
    OffsetOutOfRangeError,
    NoOffsetForPartitionError,
    IllegalStateError,  # a partition was taken away between two steps
)


@dataclass(frozen=True, slots=True)
class WorkerPolicy:
    """How the loop behaves."""

    topic: str
    max_batch_records: int = 20_000
    poll_timeout_ms: int = 50
    advance_seconds: float = 0.2  # how often stripes without events learn how far their partitions are
    commit_seconds: float = 1.0
    commit_timeout_seconds: float = 2.0
    release_timeout_seconds: float = REBALANCE_TIMEOUT_MS / 2_000


class Worker(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Runs one consumer's share of the topic until told to stop."""

    def __init__(  # noqa: PLR0913, PLR0917 - everything that it works with is passed in
        self,
        consumer: AIOKafkaConsumer,
        writer: StoreWriter,
        dead_letters: DeadLetterQueue,
        metrics: ConsumerMetrics,
        policy: WorkerPolicy,
        now_ms: Callable[[], int],
    ) -> None:
        self._consumer = consumer
        self._writer = writer
        self._dead_letters = dead_letters
        self._metrics = metrics
        self._policy = policy
        self._now_ms = now_ms
        self._backoff = ExponentialWithJitterBackoff(base=0.05, cap=5.0)
        self._failures = 0
        self._wake = asyncio.Event()
        self._stopping = False
        self._epoch = 0  # grows with every rebalance: what was polled before belongs to nobody
        self._assignment: list[TopicPartition] | None = None
        self._applier: Applier | None = None
        self._freshness: dict[int, Freshness] = {}
        self._in_flight: asyncio.Task[None] | None = None
        self._next_advance = 0.0
        self._commits = Committer(consumer, policy.topic, policy.commit_seconds, policy.commit_timeout_seconds)

    # -- what others see and do

    def not_ready(self) -> list[str]:
        """What keeps the consumer from being ready: empty once it has its partitions and the store has answered."""
        if self._assignment is None:
            return ["kafka"]
        return [] if self._applier else ["redis"]

    def stop(self) -> None:
        """Asks the loop to finish what it has begun."""
        self._stopping = True
        self._wake.set()

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        """Lets the write under way finish, commits, and lets go; what is decoded but not sent is dropped."""
        self._epoch += 1
        self._assignment = None
        await self._release()
        for tp in revoked:
            self._metrics.forget_partition(tp.partition)
        self._metrics.assigned_partitions.set(0)

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        """Holds the new partitions until the loop has asked the store where they are."""
        # aiokafka fetches already: nothing may be awaited before this
        self._consumer.pause(*assigned)
        self._epoch += 1
        self._applier = None
        self._assignment = list(assigned)
        self._metrics.assigned_partitions.set(len(self._assignment))
        _log.info("partitions assigned", extra={"partitions": sorted(tp.partition for tp in assigned)})
        self._wake.set()

    # -- the loop

    async def run(self) -> None:
        """Works until `stop`. Raises LayoutError, or the KafkaError that the consumer does not recover from."""
        while not self._stopping:
            if self._assignment is None:
                self._wake.clear()
                await self._wake.wait()
                continue
            try:
                if self._applier is None:
                    await self._synchronize(self._assignment)
                else:
                    await self._turn(self._applier, self._assignment)
            except _DOUBTS as error:
                await self._doubt(error)
        await self._release()

    async def _synchronize(self, assignment: list[TopicPartition]) -> None:
        """Asks the store where it is, and seeks there."""
        epoch = self._epoch
        heads = await self._writer.read_heads()
        progress = Progress(heads, [tp.partition for tp in assignment])
        partitions = len(self._consumer.partitions_for_topic(self._policy.topic) or ())
        starts, ahead = await find_starts(self._consumer, self._policy.topic, progress)
        if ahead and epoch == self._epoch:
            await restart_stripes(self._writer, partitions, progress, {p: starts[p] for p in ahead})
            return
        if epoch != self._epoch:
            return
        for tp in assignment:
            self._consumer.seek(tp, starts[tp.partition])
        progress.positions.update(starts)
        self._consumer.resume(*assignment)
        self._freshness = {tp.partition: Freshness() for tp in assignment}
        self._applier = Applier(self._writer, self._dead_letters, self._metrics, progress, partitions)
        self._next_advance = 0.0
        _log.info("reading from the store's offsets", extra={"offsets": starts})

    async def _turn(self, applier: Applier, assignment: list[TopicPartition]) -> None:
        """One poll, decoded while the last batch is written, then sent on its way."""
        epoch, policy = self._epoch, self._policy
        responses_ms = {tp: self._consumer.last_poll_timestamp(tp) for tp in assignment}
        batch = await read_batch(
            self._consumer, policy.poll_timeout_ms, policy.max_batch_records, lambda: epoch == self._epoch
        )
        await self._landed()
        if batch is None or epoch != self._epoch:
            return
        for tp in assignment:
            freshness, has_records = self._freshness[tp.partition], tp.partition in batch.positions
            freshness.polled(responses_ms[tp], has_records, batch.drained)
            if has_records:
                freshness.applied(batch.timestamps_ms[tp.partition], self._now_ms())
        self._send(applier, batch)
        self._commits.offer(applier.progress.positions)

    def _send(self, applier: Applier, batch: Batch) -> None:
        now = asyncio.get_running_loop().time()
        everywhere = now >= self._next_advance
        if everywhere:
            self._next_advance = now + self._policy.advance_seconds
            self._measure_lag(applier)
        if batch.records or (everywhere and applier.progress.partitions):
            watermarks_ms = {partition: each.watermark_ms for partition, each in self._freshness.items()}
            self._in_flight = asyncio.create_task(applier.apply(batch, watermarks_ms, everywhere))

    def _measure_lag(self, applier: Applier) -> None:
        for partition, position in applier.progress.positions.items():
            end = self._consumer.highwater(TopicPartition(self._policy.topic, partition))
            if end is not None:
                self._metrics.lag_records.labels(partition).set(max(0, end - position))

    async def _landed(self) -> None:
        """Waits for the write under way, and raises what it raised."""
        task = self._in_flight
        if task is not None:
            try:
                await task
            finally:
                if self._in_flight is task:
                    self._in_flight = None
            self._failures = 0

    # -- ends, good and bad

    async def _doubt(self, error: Exception) -> None:
        """Drops what is believed, and waits a moment that grows with every failure in a row."""
        self._failures += 1
        delay_seconds = self._backoff.compute(self._failures)
        _log.warning(
            "starting again from the store's offsets",
            extra={"reason": type(error).__name__, "detail": str(error), "retry_seconds": round(delay_seconds, 3)},
        )
        self._metrics.resyncs.labels(type(error).__name__).inc()
        if isinstance(error, StoreUnavailableError):
            self._metrics.redis_errors.inc()
        if isinstance(error, FencedError):
            self._metrics.fence_refusals.inc()
        await self._release()
        if self._assignment is not None:
            self._consumer.pause(*self._assignment)
            await self._consumer.getmany(timeout_ms=0)  # keeps the membership; what it returns is read again
        self._wake.clear()
        if not self._stopping:
            with suppress(TimeoutError):
                async with asyncio.timeout(delay_seconds):
                    await self._wake.wait()

    async def _release(self) -> None:
        """Ends the write under way, commits what was applied, and forgets where the store is."""
        task, self._in_flight = self._in_flight, None
        if task is not None:
            await asyncio.wait([task], timeout=self._policy.release_timeout_seconds)
            error = task.exception() if task.done() else TimeoutError()
            if error is not None:
                _log.warning("the last batch was not applied; it is read again", extra={"error": repr(error)})
        applier, self._applier = self._applier, None
        if applier is not None:
            await self._commits.flush(applier.progress.positions)
