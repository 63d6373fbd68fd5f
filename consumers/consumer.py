"""Keeps a worker running, and makes its Kafka clients anew when they have failed for good.

The entry (`consumers/__main__.py`) runs a Consumer. The Consumer connects the parts, and the worker moves the records.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any

from aiokafka import AIOKafkaClient, AIOKafkaProducer
from aiokafka.errors import KafkaError
from redis.backoff import ExponentialWithJitterBackoff

from consumers.dead_letters.queue import DeadLetterQueue, WrittenLetters, create_producer
from consumers.health import Pulse
from consumers.ingest.applier import Applier
from consumers.ingest.mending import Mender
from consumers.ingest.reading import Reading
from consumers.ingest.worker import Worker
from consumers.kafka.aiokafka_private import Reader
from consumers.kafka.clients import connection_options, create_consumer, prepare_topics
from consumers.kafka.stall import StalledError
from consumers.kafka.stopping import stop_client
from consumers.kafka.topic_watch import TopicWatch
from consumers.kafka.trouble import KafkaTrouble
from consumers.metrics import ConsumerMetrics
from consumers.offsets.synchronizer import Synchronized, Synchronizer
from consumers.policy import WorkerPolicy, policy_of
from consumers.upkeep.scrub import Scrub
from consumers.upkeep.store_watch import StoreWatch
from consumers.upkeep.sweeping import Sweeping
from consumers.waiting import pause, unless_set
from service.runtime.settings import ConsumerSettings, KafkaSettings
from service.runtime.tasks import cancel
from service.runtime.trouble import Trouble
from service.store.errors import LayoutError, StoreUnavailableError
from service.store.redis.clock import StoreClock, system_now_ms
from service.store.retention import Sweeper
from service.store.write.writer import StoreWriter

_log = logging.getLogger(__name__)

_TOPIC_CHECK_SECONDS = 1.0
_STORE_SECONDS = 0.8  # less than an orchestrator waits for a page, which is a second mostly
_STEADY_SECONDS = 30.0  # clients that worked for longer than this failed for a new reason, so the backoff begins again

CreateReading = Callable[..., Reading]
CreateConsumer = Callable[[KafkaSettings, Callable[[], int]], Reader]
CreateQueue = Callable[[AIOKafkaProducer, str, WrittenLetters], DeadLetterQueue]


class Consumer:
    """Keeps a worker running, and makes its Kafka clients anew when they have failed for good."""

    def __init__(  # noqa: PLR0913 - tests give their own of each
        self,
        settings: ConsumerSettings,
        writer: StoreWriter,
        metrics: ConsumerMetrics,
        *,
        policy: WorkerPolicy | None = None,
        pulse: Pulse | None = None,
        local_now_ms: Callable[[], int] = system_now_ms,
        create_consumer: CreateConsumer = create_consumer,
        create_queue: CreateQueue = DeadLetterQueue,
        create_reading: CreateReading = Reading,
    ) -> None:
        self._settings = settings
        self._writer = writer
        self._metrics = metrics
        self._policy = policy or policy_of(settings)
        self._local_now_ms = local_now_ms
        self._create_consumer = create_consumer
        self._create_queue = create_queue
        self._create_reading = create_reading
        self._worker: Worker | None = None
        self._letters = WrittenLetters(metrics.dead_letters)  # kept when the clients are made anew
        self._trouble, self._missing_topic = KafkaTrouble(), Trouble()
        self._stop = asyncio.Event()
        self.pulse = pulse or Pulse(time.monotonic)

    def stop(self) -> None:
        """Asks the process to finish the batch that it has begun, and then to end."""
        self._stop.set()
        if self._worker is not None:
            self._worker.stop()

    async def not_ready(self) -> list[str]:
        """Returns the reasons why the process is not ready; `/readyz` asks for them."""
        missing = self._worker.not_ready() if self._worker is not None else ["kafka"]
        if missing != ["kafka"]:
            return missing
        denial = self._trouble.denial
        return [f"kafka: {denial}" if denial else "kafka", *([] if await self._has_store() else ["redis"])]

    async def _has_store(self) -> bool:
        """Returns whether the store can be read; without partitions the worker does not ask it."""
        try:
            async with asyncio.timeout(_STORE_SECONDS):
                await self._writer.read_heads()
        except (StoreUnavailableError, LayoutError, TimeoutError):
            return False
        return True

    async def run(self) -> None:
        """Reads the topic until `stop` is called, and waits for a broker that does not answer.

        The entry of the process awaits it. Raises LayoutError, EvictionError, TopicNameError.
        """
        backoff, failures = ExponentialWithJitterBackoff(base=0.2, cap=5.0), 0
        while not self._stop.is_set():
            self.pulse.beat()
            began = time.monotonic()
            try:
                await self._work()
            except KafkaError as error:
                failures = 1 if time.monotonic() - began > _STEADY_SECONDS else failures + 1
                delay_seconds = backoff.compute(failures)
                if isinstance(error, StalledError):
                    self._metrics.stalls.inc()
                self._trouble.failed(error, delay_seconds)
                await pause(self._stop, delay_seconds)

    async def _work(self) -> None:
        """Makes Kafka clients, and reads with them until they fail or the process stops. Raises KafkaError."""
        settings, policy, options = self._settings, self._policy, connection_options(self._settings)
        async with AsyncExitStack() as stack:
            client = AIOKafkaClient(**options)
            stack.push_async_callback(stop_client, client)
            is_there = await unless_set(self._stop, prepare_topics(client, settings))
            if is_there is False:
                fields = self._missing_topic.note(policy.topic)
                if fields is not None:
                    _log.warning("waiting for the topic to exist", extra={"topic": policy.topic, **fields})
                await pause(self._stop, _TOPIC_CHECK_SECONDS)
            if not is_there:
                return
            fields = self._missing_topic.end()
            if fields is not None:
                _log.info("the topic exists now", extra={"topic": policy.topic, **fields})
            clock = StoreClock(self._writer.client, self._local_now_ms)
            producer, consumer = create_producer(**options), self._create_consumer(settings, clock.now_ms)
            for each in (producer, consumer):
                stack.push_async_callback(stop_client, each)
                await unless_set(self._stop, each.start())
            if not self._stop.is_set():
                self._trouble.passed()
                letters = self._create_queue(producer, settings.kafka_dead_letter_topic, self._letters)
                await self._read(consumer, TopicWatch(client, policy.topic, clock.now_ms), letters, clock)

    async def _read(self, consumer: Reader, watch: TopicWatch, letters: DeadLetterQueue, clock: StoreClock) -> None:
        """Reads with clients that have started, until they fail or the process stops."""
        writer, store, metrics, policy = self._writer, self._writer.client, self._metrics, self._policy
        store_watch = StoreWatch(store, clock, note_memory=metrics.note_memory)
        scrub = Scrub(consumer, store, metrics, policy)
        mender = Mender(store, metrics, scrub.hurry)

        def start_reading(found: Synchronized) -> Reading:
            applier = Applier(writer, letters, mender.mend, found.offsets, found.topic, clock.now_ms, metrics.timed)
            return self._create_reading(consumer, applier, watch, metrics, policy, clock.now_ms, found)

        synchronizer = Synchronizer(consumer, writer, watch, store_watch, metrics, policy.topic, clock.now_ms)
        worker = Worker(consumer, synchronizer, start_reading, scrub.hurry, metrics, policy, self.pulse)
        consumer.subscribe([policy.topic], listener=worker)  # before start(), start() would wait for partitions
        beside = [watch.run(), store_watch.run()]
        if policy.scrub_share:
            beside.append(scrub.run())
        if policy.retention_days is not None:
            beside.append(Sweeping(consumer, Sweeper(store), metrics, policy).run())
        self._worker = worker
        try:
            await _run_beside(worker, beside)
        finally:
            self._worker = None
            metrics.note_memory(())  # nobody looks at Redis until there are Kafka clients again


async def _run_beside(worker: Worker, endless: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Runs the worker and the endless tasks beside it, until one of them ends; raises the error that ended it."""
    working, others = asyncio.create_task(worker.run()), [asyncio.create_task(each) for each in endless]
    await asyncio.wait({working, *others}, return_when=asyncio.FIRST_COMPLETED)
    has_failed = any(task.done() and not task.cancelled() and task.exception() for task in others)
    worker.stop(settles=not has_failed)  # a Redis that may evict is not written to
    await cancel(others)
    results = await asyncio.gather(working, *others, return_exceptions=True)
    for error in results:
        if isinstance(error, Exception):
            raise error
