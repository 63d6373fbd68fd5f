"""The ingest loop: polls, decodes, and applies, with the next batch decoded while the store writes the last.

One task owns the consumer, the offsets and the writes; the rebalance listener only ends what is under way and says
that everything must be looked up anew. Whatever goes wrong - a fence, a store that is away, an offset out of range,
dead letters that cannot be written - has one remedy, the resync: drop the offsets, ask the store where it is, and go
on from there. Events that are applied twice change nothing.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, NoOffsetForPartitionError, OffsetOutOfRangeError
from redis.backoff import ExponentialWithJitterBackoff

from consumers.health import Pulse
from consumers.ingest.applier import DeadLettersUnavailableError
from consumers.ingest.mending import MendedError
from consumers.ingest.reading import LeaderFoundError, Reading, log_silent
from consumers.kafka.aiokafka_private import Reader
from consumers.kafka.commits import Committer
from consumers.kafka.stall import StalledError
from consumers.kafka.topic_watch import OtherTopicError
from consumers.metrics import ConsumerMetrics
from consumers.offsets.synchronizer import Synchronized, Synchronizer
from consumers.policy import WorkerPolicy
from consumers.waiting import cancel, pause, unless_set
from service.store.errors import FencedError, StoreUnavailableError

_log = logging.getLogger(__name__)

_BEAT_SECONDS = 1.0

_RESYNCING = (
    StoreUnavailableError,
    FencedError,
    DeadLettersUnavailableError,
    MendedError,
    OtherTopicError,
    OffsetOutOfRangeError,
    NoOffsetForPartitionError,
    LeaderFoundError,
    IllegalStateError,  # a partition was taken away between two steps
)


class Worker(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Runs one consumer's share of the topic until told to stop."""

    def __init__(  # noqa: PLR0913, PLR0917 - everything that it works with is passed in
        self,
        consumer: Reader,
        synchronizer: Synchronizer,
        start_reading: Callable[[Synchronized], Reading],
        hurry_scrub: Callable[[], None],
        metrics: ConsumerMetrics,
        policy: WorkerPolicy,
        pulse: Pulse,
    ) -> None:
        self._consumer = consumer
        self._synchronizer = synchronizer
        self._start_reading = start_reading
        self._hurry_scrub = hurry_scrub
        self._metrics = metrics
        self._policy = policy
        self._pulse = pulse
        self._backoff = ExponentialWithJitterBackoff(base=0.05, cap=5.0)
        self._failures = 0
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._epoch = 0  # grows with every rebalance: what was polled before belongs to nobody
        self._assignment: list[TopicPartition] | None = None
        self._reading: Reading | None = None
        self._in_flight: asyncio.Task[None] | None = None
        self._unanswered: set[int] = set()  # partitions of which the log has said that they are not read
        self._commits = Committer(self._consumer, policy.topic, policy.commit_seconds, policy.commit_timeout_seconds)

    # -- what others see and do

    def not_ready(self) -> list[str]:
        """Returns what keeps the consumer from being ready: nothing once all of its partitions are read."""
        if self._assignment is None:
            return ["kafka"]
        return self._reading.troubles() if self._reading else ["redis"]

    def stop(self) -> None:
        """Asks the loop to finish what it has begun."""
        self._stopping.set()
        self._wake.set()

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        """Lets the write under way finish, commits, and lets go; what is decoded but not sent is dropped."""
        self._epoch += 1
        self._assignment = None
        await self._release(settles=True)
        self._consumer.forget(revoked)
        for tp in revoked:
            self._metrics.forget_partition(tp.partition)
        self._metrics.assigned_partitions.set(0)

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        """Holds the new partitions until the loop has asked the store where they are."""
        # aiokafka fetches already: nothing may be awaited before this
        self._consumer.pause(*assigned)
        self._epoch += 1
        self._reading = None
        self._assignment = list(assigned)
        self._metrics.assigned_partitions.set(len(self._assignment))
        _log.info("partitions assigned", extra={"partitions": sorted(tp.partition for tp in assigned)})
        self._wake.set()

    # -- the loop

    async def run(self) -> None:
        """Reads and applies until `stop` is called; a Consumer runs it.

        Raises LayoutError, EvictionError, TopicNameError, or the KafkaError that no seek is a remedy for.
        """
        try:
            while not self._stopping.is_set():
                self._pulse.beat()
                if self._assignment is None:
                    await self._await_assignment()
                    continue
                try:
                    if self._reading is None:
                        synchronizing = asyncio.create_task(self._synchronize(self._assignment))
                        await unless_set(self._stopping, self._beating(synchronizing))
                    else:
                        await self._turn(self._reading)
                except _RESYNCING as error:
                    await self._resync(error)
        finally:
            await self._release(settles=self._stopping.is_set())

    async def _await_assignment(self) -> None:
        """Returns once there are partitions, or it is time to stop. Raises StalledError."""
        waiting_since = asyncio.get_running_loop().time()
        while self._assignment is None and not self._stopping.is_set():
            self._pulse.beat()
            if asyncio.get_running_loop().time() - waiting_since > self._policy.assignment_seconds:
                raise StalledError(f"the group gave no partitions within {self._policy.assignment_seconds:.0f} s")
            self._wake.clear()
            await pause(self._wake, 1.0)

    async def _synchronize(self, assignment: list[TopicPartition]) -> None:
        """Asks the store for its offsets, and seeks there; leaves `_reading` as it is if that has to be done again."""
        is_ours = self._in_this_epoch()
        found = await self._synchronizer.synchronize([tp.partition for tp in assignment], is_ours)
        if found is None or not is_ours():
            return
        positions = found.offsets.positions
        self._consumer.caught_up.clear()  # it is of other offsets, or of another topic
        for tp in assignment:
            self._consumer.seek(tp, positions[tp.partition])
        self._consumer.resume(*[tp for tp in assignment if tp.partition not in found.unanswered])
        self._reading = self._start_reading(found)
        _log.info("reading from the store's offsets", extra={"offsets": dict(positions)})
        for partition, error in found.unanswered.items():
            if partition not in self._unanswered:
                log_silent(partition, error)
        self._unanswered = set(found.unanswered)

    async def _turn(self, reading: Reading) -> None:
        """Polls and decodes one batch while the last one is written, then begins to write it."""
        is_ours = self._in_this_epoch()
        batch = await reading.poll(is_ours)
        if batch is None or self._stopping.is_set():
            return
        await self._landed()
        if is_ours():
            await unless_set(self._stopping, reading.check(batch))
        if is_ours() and not self._stopping.is_set():
            self._in_flight = reading.begin_write(batch)
            self._commits.offer(reading.positions)

    def _in_this_epoch(self) -> Callable[[], bool]:
        epoch = self._epoch
        return lambda: epoch == self._epoch

    async def _landed(self) -> None:
        """Waits for the write under way, and raises what it raised."""
        task = self._in_flight
        if task is not None:
            try:
                await self._beating(task)
            finally:
                if self._in_flight is task:
                    self._in_flight = None
            self._failures = 0

    async def _beating(self, task: asyncio.Task[None]) -> None:
        """Waits for work that may take minutes, as when a large project is mended or Redis writes its log anew.

        That is no standstill: each of its questions has a timeout of its own. Raises what it raises.
        """
        try:
            while not task.done():
                self._pulse.beat()
                await asyncio.wait([task], timeout=_BEAT_SECONDS)
            await task
        finally:
            await cancel([task])

    # -- ends, good and bad

    async def _resync(self, error: Exception) -> None:
        """Drops the offsets, and waits a moment that grows with every failure in a row.

        `run` calls it, and asks for new offsets afterwards.
        """
        is_mended = isinstance(error, MendedError)  # one of several projects, perhaps: the next is not to wait long
        self._failures += not is_mended
        delay_seconds = self._backoff.compute(1 if is_mended else self._failures)
        _log.warning(
            "starting again from the store's offsets",
            extra={"reason": type(error).__name__, "detail": str(error), "retry_seconds": round(delay_seconds, 3)},
        )
        self._metrics.resyncs.labels(type(error).__name__).inc()
        if isinstance(error, StoreUnavailableError):
            self._metrics.redis_errors.inc()
        if isinstance(error, FencedError):
            self._metrics.fence_refusals.inc()
        if isinstance(error, StoreUnavailableError | FencedError):
            self._hurry_scrub()
        await self._release()
        if self._assignment is not None:
            self._consumer.pause(*self._assignment)
            with suppress(OffsetOutOfRangeError):  # of another partition; it is found again
                await self._consumer.getmany(timeout_ms=0)  # keeps the membership; what it returns is read again
        self._wake.clear()
        if not self._stopping.is_set():
            await pause(self._wake, delay_seconds)

    async def _release(self, settles: bool = False) -> None:
        """Ends the write under way, commits what was applied, and drops the offsets.

        With `settles` stripes without events are told how far they are, unless that write has failed.
        """
        task, self._in_flight = self._in_flight, None
        if task is not None:
            await asyncio.wait([task], timeout=self._policy.release_timeout_seconds)
            error = task.exception() if task.done() else TimeoutError()
            if error is not None:
                _log.warning("the last batch was not applied; it is read again", extra={"error": repr(error)})
        reading, self._reading = self._reading, None
        if reading is not None:
            await reading.close()
            if settles and (task is None or error is None):
                await self._settle(reading)
            await self._commits.flush(reading.positions)

    async def _settle(self, reading: Reading) -> None:
        """Tells stripes without events how far they are: retention may pass where they stand before anybody is back."""
        try:
            async with asyncio.timeout(self._policy.release_timeout_seconds):
                await reading.settle()
        except (*_RESYNCING, TimeoutError) as failure:
            _log.warning("stripes without events were not told how far they are", extra={"error": repr(failure)})
