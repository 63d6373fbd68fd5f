"""The entry of `python -m consumers`: runs one consumer process until SIGTERM or SIGINT, or an operator's command."""

import sys

from service.runtime.early import begin, stop_on_signals

if __name__ == "__main__":  # before the imports below, which take most of a second
    if sys.argv[1:]:
        begin(lambda number: 128 + number, b"interrupted\n")
    else:
        begin(lambda _: 0)

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from opentelemetry.trace import Tracer

from consumers.consumer import Consumer
from consumers.health import serve_health
from consumers.ingest.traced import TracedQueue, TracedReading, TracedWriter
from consumers.metrics import ConsumerMetrics
from consumers.store_client import store_client
from consumers.transitions import TransitionsCollector
from service.runtime import log
from service.runtime.garbage import look_rarely
from service.runtime.metrics import create_registry
from service.runtime.settings import ConsumerSettings, SettingsError, load
from service.runtime.tracing import ids_of_trace, tracing
from service.store.errors import EvictionError, LayoutError, StoreDeniedError, StoreUnavailableError
from service.store.layout.heads import LAYOUT_VERSION
from service.store.redis.clock import system_now_ms
from service.store.redis.eviction import check_eviction
from service.store.redis.layouts import LayoutNotes
from service.store.write.topic_name import TopicNameError, check_topic_name
from service.store.write.writer import StoreWriter

_log = logging.getLogger("consumers")
EXIT_LISTEN, EXIT_SETTINGS, EXIT_LAYOUT = 1, 2, 3


async def _greet(writer: StoreWriter, topic: str) -> None:
    """Checks that Redis does not evict, that its data is of this topic, and that this version can read the heads.

    `run` awaits it before the consumer joins its group. Raises EvictionError, TopicNameError, or LayoutError. It only
    logs that Redis does not answer: the consumer itself waits for Redis later.
    """
    try:
        await check_eviction(writer.client)
        await check_topic_name(writer.client, topic)
        LayoutNotes().note(*await writer.read_heads())
    except StoreDeniedError as error:
        _log.error("Redis denies us access", extra={"error": str(error)})
    except StoreUnavailableError as error:
        _log.warning("Redis is away", extra={"error": str(error)})


def _traced(tracer: Tracer, settings: ConsumerSettings) -> dict[str, Any]:
    """Returns the parts of a consumer that make spans."""
    attributes = {
        "messaging.destination.name": settings.kafka_topic,
        "messaging.consumer.group.name": settings.kafka_group_id,
    }
    return {
        "create_reading": partial(TracedReading, tracer, attributes),
        "create_queue": partial(TracedQueue, tracer),
    }


async def run(
    settings: ConsumerSettings, local_now_ms: Callable[[], int] = system_now_ms, tracer: Tracer | None = None
) -> int:
    """Runs the consumer process until a signal stops it, and returns its exit status.

    `local_now_ms` is this machine's clock (Unix ms). Raises SettingsError.
    """
    registry = create_registry(LAYOUT_VERSION)
    async with AsyncExitStack() as stack:
        metrics = ConsumerMetrics(registry)
        create_writer = StoreWriter if tracer is None else partial(TracedWriter, tracer)
        writer = create_writer(await stack.enter_async_context(store_client(settings)), heard=metrics.scripts)
        TransitionsCollector(writer.transitions, registry)
        parts = {} if tracer is None else _traced(tracer, settings)
        consumer = Consumer(settings, writer, metrics, local_now_ms=local_now_ms, **parts)
        try:
            await stack.enter_async_context(
                serve_health(settings.metrics_host, settings.metrics_port, registry, consumer.not_ready, consumer.pulse)
            )
        except OSError as error:
            _log.critical("STATS_METRICS_HOST, STATS_METRICS_PORT: cannot listen there: %s", error)
            return EXIT_LISTEN
        look_rarely(200_000, 50)  # reference counts alone free what a batch allocates
        try:
            await _greet(writer, settings.kafka_topic)
            stop_on_signals(asyncio.get_running_loop(), lambda _: consumer.stop())
            await consumer.run()
        except (LayoutError, EvictionError) as error:
            _log.critical("STATS_REDIS_URL: %s", error)
            return EXIT_LAYOUT if isinstance(error, LayoutError) else EXIT_SETTINGS
        except TopicNameError as error:
            _log.critical("STATS_KAFKA_TOPIC: %s", error)
            return EXIT_SETTINGS
    return 0


def main() -> int:
    """Runs a consumer, or the command that the arguments name; returns the exit status."""
    if sys.argv[1:]:
        from consumers.commands.frame import main as run_command  # noqa: PLC0415 - a consumer needs nothing of it

        return run_command(sys.argv[1:])
    try:
        settings = load(ConsumerSettings)
        log.configure(settings.log_level, ids_of_trace)
        log.take_strays()
        with tracing(settings.otlp_endpoint, "gene-statistics-consumer") as tracer:
            return asyncio.run(run(settings, tracer=tracer))
    except SettingsError as error:
        log.say(*error.lines)
        return EXIT_SETTINGS


if __name__ == "__main__":
    sys.exit(main())
