"""Reading, from one synchronization to the next doubt: what is believed meanwhile, and what comes of a poll."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from aiokafka import TopicPartition

from consumers.applier import Applier
from consumers.batches import Batch, read_batch
from consumers.dead_letters import DeadLetterQueue
from consumers.freshness import Watermarks
from consumers.policy import WorkerPolicy
from consumers.progress import Progress
from consumers.retention import find_horizon_ms
from consumers.stall import StallWatch
from consumers.synchronizing import Synchronizer
from consumers.topic_watch import OtherTopicError

_log = logging.getLogger(__name__)


class Reading:
    """Reads some partitions from where the store is; `offsets` are what has been applied."""

    def __init__(
        self, synchronizer: Synchronizer, dead_letters: DeadLetterQueue, policy: WorkerPolicy, progress: Progress
    ) -> None:
        self._synchronizer = synchronizer
        self._consumer = synchronizer.consumer
        self._policy = policy
        self._tps = [TopicPartition(policy.topic, partition) for partition in progress.partitions]
        self._clock = asyncio.get_running_loop().time
        topic = synchronizer.watch.state
        self._topic_id = topic.topic_id
        self._applier = Applier(
            synchronizer.writer,
            dead_letters,
            synchronizer.metrics,
            progress,
            topic.partitions,
            topic.id_bytes,
            synchronizer.now_ms,
        )
        self._watermarks = Watermarks(progress.partitions)
        self._stall = StallWatch(progress.partitions, policy.quiet_seconds, self._clock())
        self._responses_ms: dict[int, int | None] = {}
        self._next_claim = self._next_settling = 0.0

    @property
    def offsets(self) -> Mapping[int, int]:
        """Per partition the offset before which everything is applied."""
        return self._applier.progress.positions

    async def poll(self, suspect: Mapping[int, int], is_ours: Callable[[], bool]) -> Batch | None:
        """The next batch, see read_batch; before the suspect offsets a small one, that can be sifted."""
        self._responses_ms = {tp.partition: self._consumer.last_poll_timestamp(tp) for tp in self._tps}
        sifted = any(self.offsets.get(partition, offset) < offset for partition, offset in suspect.items())
        most = self._policy.sifted_batch_records if sifted else self._policy.max_batch_records
        return await read_batch(self._consumer, self._policy.poll_timeout_ms, most, is_ours, sifted)

    async def check(self, batch: Batch) -> None:
        """Compares what came with what the broker says. Raises OtherTopicError, StalledError, KafkaError."""
        topic, partitions = self._synchronizer.watch.state, self._applier.partitions
        if topic.is_other(self._topic_id):
            raise OtherTopicError(f"the topic has id {topic.topic_id}, {self._topic_id} was read")
        if topic.partitions > partitions:
            _log.info("the topic has got partitions", extra={"before": partitions, "now": topic.partitions})
            self._applier = replace(self._applier, partitions=topic.partitions)
        quiet = self._stall.polled(batch.positions, self._clock())
        if quiet:
            await self._ask_about([TopicPartition(self._policy.topic, partition) for partition in quiet])

    async def _ask_about(self, quiet: Sequence[TopicPartition]) -> None:
        ends = await self._consumer.end_offsets(quiet)
        for tp in quiet:
            self._stall.asked(tp.partition, await self._consumer.position(tp), ends[tp], self._clock())

    def begin_write(self, batch: Batch) -> asyncio.Task[None] | None:
        """Sends a batch on its way; None if it has nothing that the store must know by now."""
        applier, now_ms, now = self._applier, self._synchronizer.now_ms(), self._clock()
        self._watermarks.polled(self._responses_ms, batch.timestamps_ms, batch.drained, now_ms)
        claims = bool(self._tps) and now >= self._next_claim
        if claims:
            self._next_claim = now + self._policy.claim_seconds
            self._measure_lag()
        if not batch.records and not claims:
            return None
        watermarks_ms = self._watermarks.values_ms(self._synchronizer.watch.looked_ms)
        horizon_ms = find_horizon_ms(now_ms, self._policy.retention_days)
        others: list[int] = []
        if now >= self._next_settling:
            self._next_settling = now + self._policy.settling_seconds
            others = applier.progress.behind(horizon_ms)
        return asyncio.create_task(self._write(batch, watermarks_ms, horizon_ms, others, claims))

    async def _write(
        self, batch: Batch, watermarks_ms: Mapping[int, int], horizon_ms: int, others: Sequence[int], claims: bool
    ) -> None:
        if batch.records or others:
            await self._applier.apply(batch, watermarks_ms, others, horizon_ms)
        if claims:
            await self._applier.claim(watermarks_ms, horizon_ms)

    def _measure_lag(self) -> None:
        for tp in self._tps:
            end = self._consumer.highwater(tp)
            if end is not None:
                lag = max(0, end - self.offsets[tp.partition])
                self._synchronizer.metrics.lag_records.labels(tp.partition).set(lag)
