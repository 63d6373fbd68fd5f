"""Runs the ingest loop: polls and decodes a batch while the store still writes the one before.

One task owns the Kafka consumer, the offsets and the writes. The rebalance listener only ends the write under way, and
makes the loop look up the offsets anew. There is one remedy for everything that goes wrong - a fence, a store that
does not answer, an offset out of range, dead letters that cannot be written. It is the resync: the worker drops the
offsets, asks the store for them again, and reads on from there. Events that are applied twice change nothing.
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
from consumers.waiting import pause, unless_set
from service.runtime.tasks import cancel
from service.runtime.trouble import Trouble
from service.store.errors import FencedError, StoreUnavailableError

_log = logging.getLogger(__name__)

_BEAT_SECONDS = 1.0
_SETTLED_SECONDS = 5.0  # who begins again after this time has a new reason

_RESYNCING = (
    StoreUnavailableError,
    FencedError,
    DeadLettersUnavailableError,
    MendedError,
    OtherTopicError,
    OffsetOutOfRangeError,
    NoOffsetForPartitionError,
    LeaderFoundError,
    IllegalStateError,  # the group took a partition away between two steps
)


_OUTAGES = (StoreUnavailableError, DeadLettersUnavailableError)  # they stay until somebody mends them


class Worker(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Reads and applies the partitions of one consumer until told to stop."""

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
        self._settles = True
        self._epoch = 0  # grows with every rebalance; a batch of an earlier epoch is dropped
        self._assignment: list[TopicPartition] | None = None
        self._reading: Reading | None = None
        self._in_flight: asyncio.Task[bool] | None = None
        self._letters = Trouble()
        self._outage = Trouble()  # of Redis, or of the topic of dead letters
        self._restarts = Trouble()  # for other reasons, which may come again at once and for hours, as a fence does
        self._is_told = True  # whether the log has why the worker begins again
        self._unanswered: set[int] = set()  # partitions that have been logged as not read
        self._commits = Committer(self._consumer, policy.topic, policy.commit_seconds, policy.commit_timeout_seconds)

    # -- what others see and do

    def not_ready(self) -> list[str]:
        """Returns the reasons why the consumer is not ready: none once all of its partitions are read."""
        if self._assignment is None:
            return ["kafka"]
        waiting_for = self._letters.text()
        if waiting_for is not None:
            return [waiting_for]
        return self._reading.troubles() if self._reading else ["redis"]

    def stop(self, settles: bool = True) -> None:
        """Asks the loop to finish the batch that it has begun, and then to end; without `settles` it writes no more."""
        self._settles = settles
        self._stopping.set()
        self._wake.set()

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        """Awaits the write under way, commits, and drops the offsets; a decoded batch that was not sent is dropped too.

        aiokafka calls it before a rebalance.
        """
        self._epoch += 1
        self._assignment = None
        await self._release(settles=True)
        self._consumer.forget(revoked)
        self._metrics.assign(())

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        """Pauses the new partitions until the loop has asked the store for their offsets; aiokafka calls it."""
        # aiokafka fetches already, so nothing may be awaited before the pause
        self._consumer.pause(*assigned)
        self._epoch += 1
        self._reading = None
        self._assignment = list(assigned)
        self._is_told = True
        self._metrics.assign(tp.partition for tp in assigned)
        _log.info("partitions assigned", extra={"partitions": sorted(tp.partition for tp in assigned)})
        self._wake.set()

    # -- the loop

    async def run(self) -> None:
        """Reads and applies until `stop` is called; a Consumer awaits it.

        Raises LayoutError, EvictionError, TopicNameError, and any KafkaError that a resync does not mend.
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
            await self._release(settles=self._stopping.is_set() and self._settles)
            self._metrics.assign(())  # other clients may get other partitions, or none for long

    async def _await_assignment(self) -> None:
        """Waits until the group assigns partitions, or `stop` is called. Raises StalledError and other KafkaErrors."""
        waiting_since = asyncio.get_running_loop().time()
        while self._assignment is None and not self._stopping.is_set():
            self._pulse.beat()
            if asyncio.get_running_loop().time() - waiting_since > self._policy.assignment_seconds:
                raise StalledError(f"the group gave no partitions within {self._policy.assignment_seconds:.0f} s")
            self._consumer.check_group()
            self._wake.clear()
            await pause(self._wake, 1.0)

    async def _synchronize(self, assignment: list[TopicPartition]) -> None:
        """Asks the store for its offsets, and seeks to them; leaves `_reading` as None if this must be done again."""
        is_ours = self._in_this_epoch()
        with self._metrics.timed("synchronize"):
            found = await self._synchronizer.synchronize([tp.partition for tp in assignment], is_ours)
        if found is None or not is_ours():
            return
        positions = found.offsets.positions
        self._consumer.caught_up.clear()  # this evidence is of other offsets, or of another topic
        for tp in assignment:
            self._consumer.seek(tp, positions[tp.partition])
        self._consumer.resume(*[tp for tp in assignment if tp.partition not in found.unanswered])
        self._reading = self._start_reading(found)
        # in an outage of the topic of dead letters, or between two who fence each other, this succeeds at each attempt
        level = logging.INFO if self._is_told and not self._outage.is_there else logging.DEBUG
        _log.log(level, "reading from the store's offsets", extra={"offsets": dict(positions)})
        for partition, error in found.unanswered.items():
            if partition not in self._unanswered:
                log_silent(partition, error)
        self._unanswered = set(found.unanswered)

    async def _turn(self, reading: Reading) -> None:
        """Polls and decodes one batch while the one before is written, then begins to write it."""
        is_ours = self._in_this_epoch()
        batch = await reading.poll(is_ours)
        if batch is None or self._stopping.is_set():
            return
        with self._metrics.timed("wait"):
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
        """Awaits the write under way, and raises its error."""
        task = self._in_flight
        if task is not None:
            try:
                await self._beating(task)
            finally:
                if self._in_flight is task:
                    self._in_flight = None
            self._failures = 0
            self._tell_end(has_read=task.result())

    def _tell_end(self, has_read: bool) -> None:
        """Logs the end of an outage: records were applied, or nothing has failed for a while."""
        self._restarts.end(_SETTLED_SECONDS)
        # a write without records may succeed in the midst of an outage
        fields = self._outage.end() if has_read or self._outage.text() is None else None
        if fields is not None:
            _log.info("the outage is over, and reading goes on", extra=fields)

    async def _beating(self, task: asyncio.Task[object]) -> None:
        """Awaits a task that may take minutes, and keeps the pulse beating meanwhile.

        Mending a large project takes so long, or Redis writing its log anew. The worker is not stuck then, as each call
        to Redis has a timeout of its own. Raises the task's error.
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
        """Drops the offsets, and waits for a time that grows with every failure in a row.

        `run` awaits it, and synchronizes again afterwards.
        """
        is_mended = isinstance(error, MendedError)  # other projects may need mending too, and should not wait long
        self._failures += not is_mended
        delay_seconds = self._backoff.compute(1 if is_mended else self._failures)
        extra: dict[str, object] = {"reason": type(error).__name__, "detail": str(error)}
        extra |= {"retry_seconds": round(delay_seconds, 3)}
        if isinstance(error, FencedError):
            extra["stripe"] = error.stripe
        is_outage = isinstance(error, _OUTAGES)
        fields = self._outage.note(repr(error)) if is_outage else self._restarts.note(type(error).__name__)
        self._is_told = fields is not None
        if fields is not None:
            _log.warning("starting again from the store's offsets", extra={**extra, **fields})
        self._metrics.resyncs.labels(type(error).__name__).inc()
        if isinstance(error, StoreUnavailableError):
            self._metrics.redis_errors.inc()
        if isinstance(error, FencedError):
            self._metrics.fence_refusals.inc()
        if isinstance(error, StoreUnavailableError | FencedError):
            self._hurry_scrub()
        if isinstance(error, DeadLettersUnavailableError):
            self._letters.note(str(error))
        await self._release()
        if self._assignment is not None:
            self._consumer.pause(*self._assignment)
            # of another partition, and it is found again; or of one that nobody has committed and we do not read yet
            with suppress(OffsetOutOfRangeError, NoOffsetForPartitionError):
                await self._consumer.getmany(timeout_ms=0)  # keeps the group's membership; the records are read again
        self._wake.clear()
        if not self._stopping.is_set():
            await pause(self._wake, delay_seconds)

    async def _release(self, settles: bool = False) -> None:
        """Awaits the write under way, commits the applied offsets, and drops the offsets.

        With `settles` it also moves the heads of stripes without events, unless that write has failed.
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
        """Moves the heads of stripes without events, so that retention of the topic does not pass their old offsets."""
        try:
            async with asyncio.timeout(self._policy.release_timeout_seconds):
                await reading.settle()
        except (*_RESYNCING, TimeoutError) as failure:
            _log.warning("stripes without events were not told how far they are", extra={"error": repr(failure)})
