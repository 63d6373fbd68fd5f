"""Makes a trace of each batch: polls, decoding, dead letters and the write. A consumer has it only if it has a tracer.

A batch has records of many traces, so its own trace begins with it, and has links to theirs.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    Span,
    SpanKind,
    Tracer,
    get_current_span,
    set_span_in_context,
    use_span,
)
from opentelemetry.util.types import AttributeValue

from consumers.dead_letters.letter import DeadLetter
from consumers.dead_letters.queue import DeadLetterQueue, WrittenLetters
from consumers.ingest.batch import Batch
from consumers.ingest.phases import Timed
from consumers.ingest.reading import Reading
from service.runtime.tracing import TRACEPARENT, span_context_of, span_of
from service.store.write.writer import Applied, StoreWriter, StripeBatch

_MOST_LINKS = 128  # the SDK keeps no more
_MOST_PARSED = 1_000  # contexts of a batch: what is no context may look like one
_FLAGS_END = 55
_EVEN = frozenset({b"0", b"2", b"4", b"6", b"8", b"a", b"c", b"e"})


class TracedBatch(Batch):
    """A batch that knows when its records were polled and decoded (Unix ns)."""

    def __init__(self, timed: Timed) -> None:
        super().__init__(timed)
        self.began_ns = time.time_ns()
        self.decoded_ns: list[tuple[int, int]] = []
        self.span: Span = INVALID_SPAN

    async def add(self, polled: Mapping[TopicPartition, Sequence[Any]]) -> int:
        """See Batch.add."""
        began_ns = time.time_ns()
        count = await super().add(polled)
        if count:
            self.decoded_ns.append((began_ns, time.time_ns()))
        return count


class TracedReading(Reading):
    """A reading whose batches are traced. `attributes` are those of each batch and poll."""

    def __init__(self, tracer: Tracer, attributes: Mapping[str, str], *args: Any) -> None:
        super().__init__(*args)
        self._tracer = tracer
        self._attributes = {"messaging.system": "kafka", **attributes}

    def _begin_batch(self) -> Batch:
        return TracedBatch(self._metrics.timed)

    async def poll(self, is_ours: Callable[[], bool]) -> Batch | None:
        """See Reading.poll."""
        batch = await super().poll(is_ours)
        if isinstance(batch, TracedBatch) and batch.records:
            links = await links_of(batch)
            if links is not None:
                self._begin_trace(batch, links)
        return batch

    def _begin_trace(self, batch: TracedBatch, links: Sequence[Link]) -> None:
        """Makes the span of a batch, which ends with its write, and those of what is over already."""
        topic = self._attributes["messaging.destination.name"]
        of_batch = {"messaging.operation.name": "process", "messaging.operation.type": "process"}
        attributes: dict[str, AttributeValue] = {**self._attributes, **of_batch}
        attributes["messaging.batch.message_count"] = batch.records
        attributes |= {"stats.partitions": sorted(batch.positions), "stats.dead_letters": len(batch.dead_letters)}
        batch.span = self._tracer.start_span(
            f"process {topic}", Context(), SpanKind.CONSUMER, attributes, links, batch.began_ns
        )
        if not batch.span.is_recording():
            return
        below, at_ns = set_span_in_context(batch.span, Context()), batch.began_ns
        of_poll = {**self._attributes, "messaging.operation.name": "poll", "messaging.operation.type": "receive"}
        for began_ns, ended_ns in batch.decoded_ns:
            self._tracer.start_span(f"poll {topic}", below, SpanKind.CLIENT, of_poll, start_time=at_ns).end(began_ns)
            self._tracer.start_span("decode", below, start_time=began_ns).end(ended_ns)
            at_ns = ended_ns

    async def _write(self, batch: Batch, *args: Any) -> bool:
        span = batch.span if isinstance(batch, TracedBatch) else INVALID_SPAN
        if not span.is_recording():
            return await super()._write(batch, *args)
        # a batch that another consumer is to read has no write, and its span is never sent
        with (
            use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False),
            span_of(self._tracer, "apply"),
        ):
            return await super()._write(batch, *args)


async def links_of(batch: Batch) -> list[Link] | None:
    """Returns links to the traces that records of a batch are of, or None if the batch is not to be traced.

    A link is made only to a trace that is sampled, as nothing is stored of others, and once to each span. If records
    have contexts, but none that is sampled, their producers have decided that nobody looks. Without any context the
    sampler decides.
    """
    links: dict[tuple[int, int], Link] = {}
    seen: set[bytes] = set()  # a producer may publish thousands of records in one span
    has_unsampled = False
    for _, records in batch.portions:
        await asyncio.sleep(0)  # as between portions that are decoded
        for record in records:
            traceparent = next((value for name, value in record.headers or () if name == TRACEPARENT), None)
            if traceparent is None or traceparent in seen:
                continue
            if _is_unsampled(traceparent):
                has_unsampled = True
                continue
            seen.add(traceparent)
            context = span_context_of(record.headers)
            if context is not None:
                links.setdefault((context.trace_id, context.span_id), Link(context))
            if len(links) == _MOST_LINKS or len(seen) == _MOST_PARSED:
                return list(links.values())
    return None if has_unsampled and not links else list(links.values())


def _is_unsampled(traceparent: bytes) -> bool:
    """Tells whether a context says that its trace is not sampled, by the last bit of its flags: no more is parsed."""
    return len(traceparent) >= _FLAGS_END and traceparent[_FLAGS_END - 1 : _FLAGS_END] in _EVEN


class TracedWriter(StoreWriter):
    """A writer that makes a span of each round of calls of a batch that is traced, with an event for each stripe."""

    def __init__(self, tracer: Tracer, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._tracer = tracer

    async def try_apply(self, partitions: int, batches: Sequence[StripeBatch]) -> Applied:
        """See StoreWriter.try_apply."""
        if not batches or not get_current_span().is_recording():
            return await super().try_apply(partitions, batches)
        attributes: dict[str, AttributeValue] = {"db.system.name": "redis", "db.operation.name": "EVALSHA"}
        attributes["db.operation.batch.size"] = len(batches)
        with span_of(self._tracer, "EVALSHA", SpanKind.CLIENT, attributes) as span:
            applied = await super().try_apply(partitions, batches)
            for batch in batches:
                jobs, is_refused = sum(map(len, batch.projects)), batch.stripe in applied.refused
                event = {"stats.stripe": batch.stripe, "stats.projects": len(batch.projects), "stats.jobs": jobs}
                span.add_event("stripe", {**event, "stats.is_refused": is_refused})
            span.set_attribute("stats.changed_jobs", applied.changed)
            return applied


class TracedQueue(DeadLetterQueue):
    """A queue that makes a span of the dead letters of a batch that is traced. The letters keep their own contexts."""

    def __init__(self, tracer: Tracer, producer: AIOKafkaProducer, topic: str, written: WrittenLetters) -> None:
        super().__init__(producer, topic, written)
        self._tracer = tracer
        self._name = f"send {topic}"
        self._attributes = {
            "messaging.system": "kafka",
            "messaging.destination.name": topic,
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
        }

    async def send(self, letters: Sequence[DeadLetter]) -> None:
        """See DeadLetterQueue.send."""
        if not letters or not get_current_span().is_recording():
            return await super().send(letters)
        attributes: dict[str, AttributeValue] = {**self._attributes, "messaging.batch.message_count": len(letters)}
        with span_of(self._tracer, self._name, SpanKind.PRODUCER, attributes):
            return await super().send(letters)
