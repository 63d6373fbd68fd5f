"""Sends traces to a collector: OTLP over HTTP, from a thread of its own. Needs the packages of the extra `otel`."""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from yarl import URL

from service.runtime.trouble import Trouble

_PATH = "/v1/traces"
_EXPORT_SECONDS = 5.0  # of one export, with its repetitions
_FLUSH_SECONDS = 2.0

_log = logging.getLogger(__name__)


class _Exporter(SpanExporter):
    """Exports as another one does, and tells of failures in few lines of our own; the library's are left out."""

    def __init__(self, exporter: SpanExporter, endpoint: str) -> None:
        self._exporter = exporter
        self._endpoint = endpoint
        self._trouble = Trouble()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Sends spans, and returns whether that has succeeded. The processor calls it, in its thread."""
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            told = self._trouble.end()
            if told is not None:
                _log.info("traces are sent again", extra=told)
            return result
        told = self._trouble.note("no traces")
        if told is not None:
            _log.warning("traces cannot be sent; they are dropped", extra={"endpoint": self._endpoint, **told})
        return result

    def shutdown(self) -> None:
        """Ends what is under way. The processor calls it."""
        self._exporter.shutdown()


@contextmanager
def exporting(endpoint: str, service_name: str) -> Iterator[TracerProvider]:
    """Yields a provider of tracers whose spans are sent to a collector, `endpoint` with /v1/traces or without.

    Spans wait in a queue of 2,048; one that is full takes the newest for the oldest. At the end it blocks until all are
    sent, for _FLUSH_SECONDS at most. OpenTelemetry's own variables (OTEL_...) are heeded.
    """
    _silence()
    url = url_of(endpoint)
    exporter = _Exporter(OTLPSpanExporter(url, timeout=_EXPORT_SECONDS), _without_secrets(url))
    resource = Resource.create({SERVICE_NAME: service_name}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield provider
    finally:
        # a daemon, as it waits for as long as the collector takes
        ending = threading.Thread(target=provider.shutdown, name="end of traces", daemon=True)
        ending.start()
        ending.join(_FLUSH_SECONDS)


def url_of(endpoint: str) -> str:
    """Returns the URL to which spans are sent: an endpoint with /v1/traces at the end of its path, and its query."""
    url = URL(endpoint)
    path = url.raw_path.rstrip("/").removesuffix(_PATH) + _PATH
    return str(
        URL.build(
            scheme=url.scheme, authority=url.raw_authority, path=path, query_string=url.raw_query_string, encoded=True
        )
    )


def _silence() -> None:
    """Leaves out the library's lines, of which each attempt to send has some."""
    for name in ("opentelemetry.exporter", "opentelemetry.sdk._shared_internal"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _without_secrets(url: str) -> str:
    return str(URL(url).with_user(None).with_query(None).with_fragment(None))
