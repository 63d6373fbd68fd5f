"""Traces, by OpenTelemetry, for those who name a collector: without STATS_OTLP_ENDPOINT there is no tracer at all.

What is traced is wrapped where a program puts its parts together, and only if there is a tracer. So whoever does not
trace pays nothing.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.trace import (
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    Tracer,
    format_span_id,
    format_trace_id,
    get_current_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes

from service.runtime.settings import SettingsError

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
_NOT_INSTALLED = (
    "STATS_OTLP_ENDPOINT: set, but what sends traces is not installed: pip install 'gene-job-statistics[otel]';"
    " allowed: unset, or an http:// or https:// URL together with that"
)
_OF_A_TRACE = frozenset({TRACEPARENT, TRACESTATE})
_MOST_TRACEPARENT = 128  # 55 today, and later versions may add to it; the library takes quadratic time for long ones
_MOST_TRACESTATE = 512  # https://www.w3.org/TR/trace-context/: what is passed on at least
_PROPAGATOR = TraceContextTextMapPropagator()


@contextmanager
def tracing(endpoint: str | None, service_name: str) -> Iterator[Tracer | None]:
    """Yields the tracer of a process, None without an endpoint; at the end sends what is not sent, for two seconds.

    Blocks at the end, so the programs leave it after their event loop. Raises SettingsError if the packages that send
    traces are not installed.
    """
    # its warnings have what a caller or a producer has sent; so it is for an agent's parsing too
    logging.getLogger("opentelemetry.trace").setLevel(logging.CRITICAL)
    if endpoint is None:
        yield None
        return
    try:
        from service.runtime.trace_export import exporting  # noqa: PLC0415 - needs the extra, and takes its time
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("opentelemetry"):
            raise
        raise SettingsError([_NOT_INSTALLED]) from error
    with exporting(endpoint, service_name) as provider:
        yield provider.get_tracer("gene-job-statistics")


def context_of(traceparent: str, tracestate: str = "") -> Context:
    """Returns the context that a caller has sent; an empty one if it is not valid, and none of a state that is long."""
    if len(traceparent) > _MOST_TRACEPARENT:
        return Context()
    if len(tracestate) > _MOST_TRACESTATE:
        tracestate = ""
    return _PROPAGATOR.extract({TRACEPARENT: traceparent, TRACESTATE: tracestate}, Context())


def span_context_of(headers: Iterable[tuple[str, bytes | None]]) -> SpanContext | None:
    """Returns the context of the trace that a record's headers name, or None if they name none, or not a valid one."""
    texts = {name: (value or b"").decode("ascii", "replace") for name, value in headers if name in _OF_A_TRACE}
    if TRACEPARENT not in texts:
        return None
    context = get_current_span(context_of(texts[TRACEPARENT], texts.get(TRACESTATE, ""))).get_span_context()
    return context if context.is_valid else None


def ids_of_trace() -> Mapping[str, object]:
    """Returns `trace_id` and `span_id` of the current span for a line of the log; nothing without a trace."""
    context = get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": format_trace_id(context.trace_id), "span_id": format_span_id(context.span_id)}


@contextmanager
def span_of(
    tracer: Tracer, name: str, kind: SpanKind = SpanKind.INTERNAL, attributes: Attributes = None
) -> Iterator[Span]:
    """Makes a span of its block, below the current one. Of an error it keeps the type alone: a text may name users."""
    with tracer.start_as_current_span(
        name, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except Exception as error:
            fail(span, type(error).__name__)
            raise


def fail(span: Span, error_type: str) -> None:
    """Notes in a span that what it is of has failed."""
    span.set_attribute("error.type", error_type)
    span.set_status(StatusCode.ERROR)
