"""`python -m consumers`: one consumer process, until SIGTERM or SIGINT."""

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any

from aiokafka import AIOKafkaClient
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from redis.backoff import ExponentialWithJitterBackoff

from consumers.dead_letters import DeadLetterQueue, WrittenLetters, create_producer
from consumers.health import Pulse, serve_health
from consumers.kafka import connection_options, create_consumer, prepare_topics
from consumers.mending import Mender
from consumers.metrics import ConsumerMetrics
from consumers.policy import WorkerPolicy
from consumers.retention import Retention
from consumers.scrub import Scrub
from consumers.stall import StalledError
from consumers.stopping import stop_client
from consumers.store_watch import StoreWatch
from consumers.synchronizing import Synchronizer
from consumers.topic_watch import TopicWatch
from consumers.waiting import cancel, pause, unless_set
from consumers.worker import Worker
from service import log
from service.collector import look_rarely
from service.settings import ConsumerSettings, SettingsError, load
from service.store.client import create_writer_client
from service.store.clock import StoreClock, system_now_ms
from service.store.contract import EvictionError, LayoutError, StoreUnavailableError
from service.store.eviction import check_eviction
from service.store.retention import Sweeper
from service.store.topic_name import TopicNameError, check_topic_name
from service.store.writer import StoreWriter

_log = logging.getLogger("consumers")
EXIT_SETTINGS, EXIT_LAYOUT = 2, 3
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


async def _greet(writer: StoreWriter, topic: str) -> None:
    """Raises LayoutError, EvictionError or TopicNameError before the group is joined.

    A store that is away is waited for later.
    """
    try:
        await check_eviction(writer.client)
        await check_topic_name(writer.client, topic)
        await writer.read_heads()
    except StoreUnavailableError as error:
        _log.warning("Redis is away", extra={"error": str(error)})


async def run(settings: ConsumerSettings, local_now_ms: Callable[[], int] = system_now_ms) -> int:
    """Runs the process, by that clock; returns its exit status."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    client = create_writer_client(settings.redis_url, settings.redis_cluster)
    writer = StoreWriter(client)
    consumer = Consumer(settings, writer, ConsumerMetrics(registry), local_now_ms)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, consumer.stop)
    try:
        async with serve_health(settings.metrics_port, registry, consumer.not_ready, consumer.pulse):
            look_rarely(200_000, 50)  # what a batch makes is let go by counting references alone
            await _greet(writer, settings.kafka_topic)
            await consumer.run()
    except LayoutError as error:
        _log.critical("STATS_REDIS_URL: %s", error)
        return EXIT_LAYOUT
    except EvictionError as error:
        _log.critical("STATS_REDIS_URL: %s", error)
        return EXIT_SETTINGS
    except TopicNameError as error:
        _log.critical("STATS_KAFKA_TOPIC: %s", error)
        return EXIT_SETTINGS
    finally:
        await client.aclose()
    return 0


def main() -> int:
    """Runs a consumer, or the command that the arguments name; returns the exit status."""
    if sys.argv[1:]:
        from consumers.commands.frame import main as run_command  # noqa: PLC0415 - a consumer needs nothing of it

        return run_command(sys.argv[1:])
    try:
        settings = load(ConsumerSettings)
    except SettingsError as error:
        print(*error.lines, sep="\n", file=sys.stderr)  # noqa: T201 - there is no log yet
        return EXIT_SETTINGS
    log.configure(settings.log_level)
    return asyncio.run(run(settings))


if __name__ == "__main__":
    sys.exit(main())
