"""`python -m consumers`: one consumer process, until SIGTERM or SIGINT."""

import asyncio
import gc
import logging
import signal
import sys
import time
from contextlib import AsyncExitStack, suppress

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from redis.backoff import ExponentialWithJitterBackoff

from consumers.dead_letters import DeadLetterQueue, create_producer
from consumers.health import serve_health
from consumers.kafka import connection_options, create_consumer, keep_records_plain, prepare_topics
from consumers.metrics import ConsumerMetrics
from consumers.worker import Worker, WorkerPolicy
from service import log
from service.settings import ConsumerSettings, SettingsError, load
from service.store.client import create_writer_client
from service.store.contract import LayoutError, StoreUnavailableError
from service.store.writer import StoreWriter

_log = logging.getLogger("consumers")
EXIT_SETTINGS, EXIT_LAYOUT = 2, 3
_STOP_SECONDS = 2.0  # of each Kafka client; with the last commit it stays well within 10 s
_TOPIC_CHECK_SECONDS = 1.0


class Consumer:
    """A consumer process: keeps a worker running, with Kafka clients made anew when they fail for good."""

    def __init__(self, settings: ConsumerSettings, writer: StoreWriter, metrics: ConsumerMetrics) -> None:
        self._settings = settings
        self._writer = writer
        self._metrics = metrics
        self._worker: Worker | None = None
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Asks the process to finish what it has begun and end."""
        self._stop.set()
        if self._worker is not None:
            self._worker.stop()

    async def not_ready(self) -> list[str]:
        """What keeps the process from being ready."""
        return self._worker.not_ready() if self._worker is not None else ["kafka"]

    async def run(self) -> None:
        """Works until `stop`; a broker that is away is waited for. Raises LayoutError."""
        backoff, failures = ExponentialWithJitterBackoff(base=0.2, cap=5.0), 0
        while not self._stop.is_set():
            try:
                if await prepare_topics(self._settings):
                    failures = 0
                    await self._work()
                    continue
                _log.warning("waiting for the topic to exist", extra={"topic": self._settings.kafka_topic})
                delay_seconds = _TOPIC_CHECK_SECONDS
            except KafkaError as error:
                failures += 1
                delay_seconds = backoff.compute(failures)
                _log.warning(
                    "Kafka is not usable, trying again",
                    extra={"error": repr(error), "retry_seconds": round(delay_seconds, 3)},
                )
            with suppress(TimeoutError):
                async with asyncio.timeout(delay_seconds):
                    await self._stop.wait()

    async def _work(self) -> None:
        """One life of the Kafka clients. Raises KafkaError when they are of no more use."""
        settings = self._settings
        async with AsyncExitStack() as stack:
            producer = create_producer(**connection_options(settings))
            stack.push_async_callback(_bounded_stop, producer)
            await producer.start()
            consumer = create_consumer(settings)
            stack.push_async_callback(_bounded_stop, consumer)
            worker = Worker(
                consumer,
                self._writer,
                DeadLetterQueue(producer, settings.kafka_dead_letter_topic),
                self._metrics,
                WorkerPolicy(settings.kafka_topic),
                lambda: time.time_ns() // 1_000_000,
            )
            await consumer.start()
            consumer.subscribe([settings.kafka_topic], listener=worker)  # before start(), it would wait for partitions
            self._worker = worker
            if self._stop.is_set():
                worker.stop()
            try:
                await worker.run()
            finally:
                self._worker = None


async def _bounded_stop(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Stops a Kafka client, which may hang for ever, or end in a cancellation of its own, when its broker is gone."""
    stopping: asyncio.Task[None] = asyncio.create_task(client.stop())
    await asyncio.wait([stopping], timeout=_STOP_SECONDS)
    stopping.cancel()
    [error] = await asyncio.gather(stopping, return_exceptions=True)
    if isinstance(error, (KafkaError, asyncio.CancelledError)):
        _log.warning("a Kafka client did not stop cleanly", extra={"error": repr(error)})
    elif error is not None:
        raise error


async def _greet(writer: StoreWriter) -> None:
    """Raises LayoutError at once, not only after the group was joined; a store that is away is waited for later."""
    try:
        await writer.read_heads()
    except StoreUnavailableError as error:
        _log.warning("Redis is away", extra={"error": str(error)})


async def run(settings: ConsumerSettings) -> int:
    """Runs the process; returns its exit status."""
    keep_records_plain()
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    client = create_writer_client(settings.redis_url, settings.redis_cluster)
    writer = StoreWriter(client)
    consumer = Consumer(settings, writer, ConsumerMetrics(registry))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, consumer.stop)
    try:
        async with serve_health(settings.metrics_port, registry, consumer.not_ready):
            # what is there now stays; what a batch makes is let go by counting references alone
            gc.collect()
            gc.freeze()
            gc.set_threshold(200_000, 50, 50)
            await _greet(writer)
            await consumer.run()
    except LayoutError as error:
        _log.critical("STATS_REDIS_URL: %s", error)
        return EXIT_LAYOUT
    finally:
        await client.aclose()
    return 0


def main() -> int:
    """Runs a consumer; returns the exit status."""
    try:
        settings = load(ConsumerSettings)
    except SettingsError as error:
        print(*error.lines, sep="\n", file=sys.stderr)  # noqa: T201 - there is no log yet
        return EXIT_SETTINGS
    log.configure(settings.log_level)
    return asyncio.run(run(settings))


if __name__ == "__main__":
    sys.exit(main())
