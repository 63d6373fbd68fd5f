"""Reads partitions from one synchronization to the next resync: polls, checks each batch, and begins its write."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from consumers.ingest.applier import Applier
from consumers.ingest.batch import Batch, read_batch
from consumers.ingest.watermarks import Watermarks
from consumers.kafka.aiokafka_private import Reader
from consumers.kafka.stall import StallWatch
from consumers.kafka.topic_offsets import Answers, ask_each
from consumers.kafka.topic_watch import OtherTopicError, TopicWatch
from consumers.metrics import ConsumerMetrics
from consumers.offsets.synchronizer import Synchronized
from consumers.policy import WorkerPolicy
from consumers.upkeep.sweeping import find_horizon_ms
from service.runtime.tasks import cancel

_SURE_MS = 5_000  # at the end of a partition its watermark moves on; else the broker does not say what has come since

_log = logging.getLogger(__name__)


class LeaderFoundError(Exception):
    """Says that a partition has a leader again, so that the offset from which it must be read can be looked up."""


class Reading:
    """Reads partitions from the store's offsets on, and sends each batch to the applier.

    `found` is what the synchronization has found.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - everything that it works with is passed in
        self,
        consumer: Reader,
        applier: Applier,
        watch: TopicWatch,
        metrics: ConsumerMetrics,
        policy: WorkerPolicy,
        now_ms: Callable[[], int],
        found: Synchronized,
    ) -> None:
        self._consumer = consumer
        self._applier = applier
        self._watch = watch
        self._metrics = metrics
        self._policy = policy
        self._now_ms = now_ms
        partitions = applier.offsets.partitions
        self._tps = [TopicPartition(policy.topic, partition) for partition in partitions]
        self._clock = asyncio.get_running_loop().time
        self._watermarks = Watermarks(partitions, now_ms())
        if found.is_compacted:
            consumer.lacking.update(self._tps)  # of what was read before, in part
        self._stall = StallWatch(partitions, policy.quiet_seconds, self._clock())
        self._not_read = found.unanswered
        self._silent: dict[int, KafkaError] = dict(found.unanswered)
        self._asking: asyncio.Task[Answers] | None = None
        self._next_question = 0.0
        self._has_refusals = False  # in the last batch: more may come, each of which takes some two dozen calls
        self._next_claim = self._next_settling = 0.0
        self._is_closed = False

    @property
    def positions(self) -> Mapping[int, int]:
        """Returns for each partition the offset before which everything is applied."""
        return self._applier.offsets.positions

    async def poll(self, is_ours: Callable[[], bool]) -> Batch | None:
        """Returns the next batch, or None if the partitions are no longer this consumer's; awaits read_batch."""
        most = self._policy.sifted_batch_records if self._has_refusals else self._policy.max_batch_records
        return await read_batch(self._begin_batch(), self._consumer, self._policy.poll_timeout_ms, most, is_ours)

    def _begin_batch(self) -> Batch:
        return Batch(self._metrics.timed)

    async def check(self, batch: Batch) -> None:
        """Checks that the topic is still the one that is read, and that no partition has stalled; the worker awaits it.

        Raises OtherTopicError, StalledError, LeaderFoundError, KafkaError.
        """
        topic, read = self._watch.state, self._applier.topic
        if topic.is_other(read.topic_id):
            raise OtherTopicError(f"the topic has id {topic.topic_id}, {read.topic_id} was read")
        if topic.partitions > read.partitions:
            _log.info("the topic has got partitions", extra={"before": read.partitions, "now": topic.partitions})
            self._applier = replace(self._applier, topic=replace(read, partitions=topic.partitions))
        quiet = self._stall.polled(batch.positions, self._clock())
        for partition in batch.positions:
            self._silent.pop(partition, None)
        if self._asking is None:
            self._ask_about(quiet)
        elif self._asking.done():
            asking, self._asking = self._asking, None
            await self._take_in(asking.result())

    def _ask_about(self, quiet: Iterable[int]) -> None:
        """Begins to ask where the quiet partitions end, and more often where those that are not read end."""
        due, now = {TopicPartition(self._policy.topic, partition) for partition in quiet}, self._clock()
        if self._not_read and now >= self._next_question:
            self._next_question = now + self._policy.question_seconds
            due |= {TopicPartition(self._policy.topic, partition) for partition in self._not_read}
        due -= self._consumer.unreadable.keys()
        if due:
            asking = ask_each(self._consumer.end_offsets, sorted(due), self._watch.state)
            self._asking = asyncio.create_task(asking)

    async def _take_in(self, answers: Answers) -> None:
        """Notes the answers about quiet partitions. Raises StalledError, LeaderFoundError."""
        now, topic = self._clock(), self._watch.state
        for tp, error in answers.errors.items():
            if tp.partition not in self._silent:
                log_silent(tp.partition, error)
            self._silent[tp.partition] = error
            if now - self._stall.since(tp.partition) >= self._policy.quiet_seconds:
                self._stall.unanswered(tp.partition, topic.has_leader(tp.partition), now)
        for tp, end in answers.offsets.items():
            if tp.partition in self._not_read:
                raise LeaderFoundError(f"partition {tp.partition} has a leader now")
            self._silent.pop(tp.partition, None)
            self._stall.asked(tp.partition, await self._consumer.position(tp), end, now)

    def troubles(self) -> list[str]:
        """Returns a text for each partition that cannot be read, with the reason."""
        unreadable = [
            f"partition {tp.partition}: unreadable from offset {each.offset} on: {each.cause}"
            for tp, each in self._consumer.unreadable.items()
        ]
        return unreadable + [f"partition {partition}: {error!r}" for partition, error in self._silent.items()]

    async def close(self) -> None:
        """Cancels the question under way to the broker, and awaits its end."""
        self._is_closed = True
        if self._asking is not None:
            await cancel([self._asking])

    def begin_write(self, batch: Batch) -> asyncio.Task[bool] | None:
        """Starts a task that writes a batch and returns whether it had records.

        Returns None if the store needs to know nothing of the batch now.
        """
        now_ms, now = self._now_ms(), self._clock()
        self._take_in_freshness(batch, now_ms)
        claims = bool(self._tps) and now >= self._next_claim
        if claims:
            self._next_claim = now + self._policy.claim_seconds
            self._measure()
        if not batch.records and not claims:
            return None
        watermarks_ms = self._watermarks.values_ms(self._watch.looked_ms)
        horizon_ms = find_horizon_ms(now_ms, self._policy.retention_days)
        others: list[int] = []
        if now >= self._next_settling or (claims and not batch.records):
            self._next_settling = now + self._policy.settling_seconds
            others = self._applier.offsets.behind(horizon_ms)
        return asyncio.create_task(self._write(batch, watermarks_ms, horizon_ms, others, claims))

    async def _write(
        self, batch: Batch, watermarks_ms: Mapping[int, int], horizon_ms: int, others: Sequence[int], claims: bool
    ) -> bool:
        with self._metrics.measuring(batch.records, max(batch.timestamps_ms.values(), default=0), watermarks_ms):
            counts = await self._applier.apply(batch, watermarks_ms, others, horizon_ms)
        if batch.records:
            self._has_refusals = counts.dead_letters["refused"] > 0
        if claims:
            await self._applier.claim(watermarks_ms, horizon_ms)
            self._measure_lag()
        return bool(batch.records)

    async def settle(self) -> None:
        """Moves the heads of stripes without events to the positions. Raises what the store raises."""
        horizon_ms = find_horizon_ms(self._now_ms(), self._policy.retention_days)
        await self._applier.apply(Batch(), {}, self._applier.offsets.behind(horizon_ms), horizon_ms)

    def _take_in_freshness(self, batch: Batch, now_ms: int) -> None:
        known, ends = self._consumer.caught_up, self._take_ends(batch)
        caught_up = {tp.partition: known[tp] for tp in self._tps if tp in known}
        for partition, each in caught_up.items():
            # the reader hands out nothing for marks of transactions, and for records that were compacted away
            reached = batch.positions.get(partition, self.positions[partition])
            if each.offset > reached:
                batch.positions[partition] = each.offset
        self._watermarks.take_in(caught_up, {**self.positions, **batch.positions}, batch.timestamps_ms, ends, now_ms)

    def _take_ends(self, batch: Batch) -> dict[int, int]:
        """Returns the ends of those partitions with records in the batch of which others are missing."""
        ends = {}
        for tp in [each for each in self._consumer.lacking if each.partition in batch.timestamps_ms]:
            self._consumer.lacking.discard(tp)
            ends[tp.partition] = self._consumer.highwater(tp) or 0
        return ends

    def _measure(self) -> None:
        metrics, now_ms = self._metrics, self._now_ms()
        watermarks_ms = self._watermarks.values_ms(now_ms)
        for tp in self._tps:
            if tp in self._consumer.unreadable:
                metrics.unreadable_offset.labels(tp.partition).set(self._consumer.unreadable[tp].offset)
            else:
                metrics.unreadable_offset.remove(tp.partition)
            end = self._consumer.highwater(tp)
            if end is not None:
                lag = max(0, end - self.positions[tp.partition])
                if lag or now_ms - watermarks_ms[tp.partition] < _SURE_MS:
                    metrics.lag_records.note(tp.partition, lag)

    def _measure_lag(self) -> None:
        """Notes how old records that are not applied yet may be, unless the partitions are another's by now."""
        if self._is_closed:
            return
        now_ms = self._now_ms()
        for partition, watermark_ms in self._watermarks.values_ms(now_ms).items():
            end = self._consumer.highwater(TopicPartition(self._policy.topic, partition))
            is_at_end = end is not None and self.positions[partition] >= end
            self._metrics.lag_seconds.note(partition, watermark_ms, now_ms, is_at_end)


def log_silent(partition: int, error: KafkaError) -> None:
    """Logs that a partition is not read, while the others are."""
    _log.warning(
        "a partition does not say where it can be read; the others go on",
        extra={"partition": partition, "error": repr(error)},
    )
