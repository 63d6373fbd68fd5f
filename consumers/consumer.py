"""Keeps a worker running, with Kafka clients made anew when they fail for good."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any

from aiokafka import AIOKafkaClient
from aiokafka.errors import KafkaError
from redis.backoff import ExponentialWithJitterBackoff

from consumers.dead_letters.queue import DeadLetterQueue, WrittenLetters, create_producer
from consumers.health import Pulse
from consumers.ingest.mending import Mender
from consumers.ingest.worker import Worker
from consumers.kafka.clients import connection_options, create_consumer, prepare_topics
from consumers.kafka.stall import StalledError
from consumers.kafka.stopping import stop_client
from consumers.kafka.topic_watch import TopicWatch
from consumers.metrics import ConsumerMetrics
from consumers.offsets.synchronizer import Synchronizer
from consumers.policy import WorkerPolicy
from consumers.upkeep.retention import Retention
from consumers.upkeep.scrub import Scrub
from consumers.upkeep.store_watch import StoreWatch
from consumers.waiting import cancel, pause, unless_set
from service.runtime.settings import ConsumerSettings
from service.store.redis.clock import StoreClock, system_now_ms
from service.store.retention import Sweeper
from service.store.write.writer import StoreWriter

_log = logging.getLogger(__name__)

_TOPIC_CHECK_SECONDS = 1.0
_STEADY_SECONDS = 30.0  # clients that have worked for so long fail for another reason than those before them


class Consumer:
    """A consumer process: keeps a worker running, with Kafka clients made anew when they fail for good."""

    def __init__(
        self,
        settings: ConsumerSettings,
        writer: StoreWriter,
        metrics: ConsumerMetrics,
        local_now_ms: Callable[[], int] = system_now_ms,
        pulse: Pulse | None = None,
    ) -> None:
        self._settings = settings
        self._local_now_ms = local_now_ms
        self._writer = writer
        self._metrics = metrics
        self._worker: Worker | None = None
        self._letters = WrittenLetters(metrics.dead_letters)  # it outlives the clients
        self._stop = asyncio.Event()
        self.pulse = pulse or Pulse(time.monotonic)

    def stop(self) -> None:
        """Asks the process to finish what it has begun and end."""
        self._stop.set()
        if self._worker is not None:
            self._worker.stop()

    async def not_ready(self) -> list[str]:
        """What keeps the process from being ready."""
        return self._worker.not_ready() if self._worker is not None else ["kafka"]

    async def run(self) -> None:
        """Works until `stop`; a broker that is away is waited for.

        Raises LayoutError, EvictionError, TopicNameError.
        """
        backoff, failures = ExponentialWithJitterBackoff(base=0.2, cap=5.0), 0
        while not self._stop.is_set():
            self.pulse.beat()
            began = time.monotonic()
            try:
                partitions = await unless_set(self._stop, prepare_topics(self._settings))
                if partitions:
                    await self._work()
                elif partitions == 0:
                    _log.warning("waiting for the topic to exist", extra={"topic": self._settings.kafka_topic})
                    await pause(self._stop, _TOPIC_CHECK_SECONDS)
            except KafkaError as error:
                failures = 1 if time.monotonic() - began > _STEADY_SECONDS else failures + 1
                delay_seconds = backoff.compute(failures)
                if isinstance(error, StalledError):
                    self._metrics.stalls.inc()
                _log.warning(
                    "Kafka is not usable, trying again",
                    extra={"error": repr(error), "retry_seconds": round(delay_seconds, 3)},
                )
                await pause(self._stop, delay_seconds)

    async def _work(self) -> None:
        """One life of the Kafka clients. Raises KafkaError when they are of no more use."""
        settings, options = self._settings, connection_options(self._settings)
        async with AsyncExitStack() as stack:
            producer = create_producer(**options)
            stack.push_async_callback(stop_client, producer)
            client = AIOKafkaClient(**options)
            stack.push_async_callback(stop_client, client)
            store = self._writer.client
            clock = StoreClock(store, self._local_now_ms)
            consumer = create_consumer(settings, clock.now_ms)
            stack.push_async_callback(stop_client, consumer)
            for start in (producer.start, client.bootstrap, consumer.start):
                await unless_set(self._stop, start())
            if self._stop.is_set():
                return
            watch = TopicWatch(client, settings.kafka_topic, clock.now_ms)
            policy = WorkerPolicy(settings.kafka_topic, settings.retention_days, settings.scrub_share)
            scrub = Scrub(consumer, store, self._metrics, policy)
            synchronizer = Synchronizer(
                consumer,
                self._writer,
                watch,
                StoreWatch(store, clock),
                Mender(store, self._metrics, scrub.hurry),
                self._metrics,
                settings.kafka_topic,
            )
            letters = DeadLetterQueue(producer, settings.kafka_dead_letter_topic, self._letters)
            self._worker = worker = Worker(synchronizer, letters, policy, self.pulse)
            consumer.subscribe([settings.kafka_topic], listener=worker)  # before start(), it would wait for partitions
            beside = [scrub.run()] if settings.scrub_share else []
            if settings.retention_days is not None:
                beside.append(Retention(consumer, Sweeper(store), self._metrics, policy).run())
            try:
                await _run_beside(worker, beside)
            finally:
                self._worker = None


async def _run_beside(worker: Worker, endless: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Runs the worker until it ends, and what goes on beside it; raises what ended either."""
    working, others = asyncio.create_task(worker.run()), [asyncio.create_task(each) for each in endless]
    await asyncio.wait({working, *others}, return_when=asyncio.FIRST_COMPLETED)
    worker.stop()
    await cancel(others)
    results = await asyncio.gather(working, *others, return_exceptions=True)
    for error in results:
        if isinstance(error, Exception):
            raise error
