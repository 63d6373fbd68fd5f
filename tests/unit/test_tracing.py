"""Traces: which records are linked, and what keeps a process that is to trace from starting."""

import json
import logging
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from opentelemetry.trace import NonRecordingSpan, SpanContext, use_span

from consumers.ingest import traced
from consumers.ingest.batch import Batch
from consumers.ingest.traced import links_of
from service.runtime.log import JsonFormatter
from service.runtime.settings import SettingsError
from service.runtime.trace_export import url_of
from service.runtime.tracing import ids_of_trace, span_context_of, tracing

Headers = list[tuple[str, bytes | None]]
_TP = TopicPartition("events", 0)


def batch_of(*headers: Headers) -> Batch:
    """A batch with a record for each list of headers."""
    batch = Batch()
    batch.portions.append((_TP, [SimpleNamespace(headers=each) for each in headers]))
    return batch


def traceparent(number: int, flags: str = "01") -> tuple[str, bytes | None]:
    """The header of a record that was published in a span with this number."""
    return "traceparent", f"00-{number:032x}-{number:016x}-{flags}".encode()


async def test_links_are_to_sampled_traces_once_each_and_few() -> None:
    """Unsampled ones and what is no context are left out, and so is what is more than 128."""
    odd: list[tuple[str, bytes | None]] = [("traceparent", None), ("traceparent", b"\xff" * 55), ("other", b"")]
    batch = batch_of([traceparent(1)], [traceparent(1)], [traceparent(2, "00")], [traceparent(3, "03")], [], odd)
    links = await links_of(batch)
    assert links is not None
    assert [each.context.trace_id for each in links] == [1, 3]
    many = await links_of(batch_of(*[[traceparent(number)] for number in range(1, 1_000)]))
    assert many is not None
    assert len(many) == 128


async def test_a_batch_is_traced_unless_all_who_decide_decide_against_it() -> None:
    """Without a context nobody has decided."""
    assert await links_of(batch_of([], [("other", b"a")])) == []
    assert await links_of(batch_of([], [traceparent(1, "00")])) is None
    assert await links_of(batch_of([traceparent(1, "00")], [traceparent(2)])) != []


async def test_a_long_context_is_not_parsed() -> None:
    """The library's pattern takes quadratic time for a long one: with a record of 1 MB the consumer stood for hours."""
    long = (f"01-{1:032x}-{2:016x}-01-" + " " * 1_000_000 + "\nx").encode()
    state: tuple[str, bytes | None] = ("tracestate", b"a=" + b"b" * 600)
    links = await links_of(batch_of([("traceparent", long)], [traceparent(1), state]))
    assert [(each.context.trace_id, len(each.context.trace_state)) for each in links or ()] == [(1, 0)]


def test_no_context_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The library warns of a state that is none with its text, which a caller has sent."""
    _, value = traceparent(1)
    with tracing(None, "gene-statistics-test"):
        context = span_context_of([("traceparent", value), ("tracestate", b"a secret")])
    assert context is not None
    assert caplog.text == ""


async def test_few_contexts_of_a_batch_are_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty thousand records of one span, of traces that nobody samples, and of no traces: a thousand at most."""
    parsed: list[object] = []
    monkeypatch.setattr(traced, "span_context_of", parsed.append)
    headers: list[Headers] = [[traceparent(1)], *([traceparent(number, "00")] for number in range(1, 10_000))]
    assert await links_of(batch_of(*headers * 2)) is None
    assert len(parsed) == 1
    odd: list[Headers] = [[("traceparent", b"%055d" % number)] for number in range(1, 20_000, 2)]
    await links_of(batch_of(*odd))
    assert len(parsed) == 1 + 1_000


async def test_a_tracestate_goes_with_its_trace() -> None:
    """What a vendor adds stays with the context."""
    links = await links_of(batch_of([("tracestate", b"vendor=1"), traceparent(1)]))
    assert links is not None
    assert links[0].context.trace_state.get("vendor") == "1"


def test_without_an_endpoint_there_is_no_tracer() -> None:
    """Nothing is loaded that sends."""
    with tracing(None, "a") as tracer:
        assert tracer is None


def test_without_the_extra_the_process_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line names the setting and what to install."""
    for name in [each for each in sys.modules if each.startswith(("opentelemetry.exporter", "service.runtime.trace_"))]:
        monkeypatch.delitem(sys.modules, name)
    missing: Any = None
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter", missing)
    with pytest.raises(SettingsError) as raised, tracing("http://collector:4318", "a"):
        pass
    [line] = raised.value.lines
    assert line.startswith("STATS_OTLP_ENDPOINT: ")
    assert "gene-job-statistics[otel]" in line


def test_a_line_of_the_log_names_its_trace() -> None:
    """Where a span is under way, a line has its ids; elsewhere it has none."""

    def line() -> dict[str, object]:
        written: dict[str, object] = json.loads(JsonFormatter(ids_of_trace).format(logging.makeLogRecord({"msg": "m"})))
        return {name: written.get(name) for name in ("trace_id", "span_id")}

    span = NonRecordingSpan(SpanContext(10, 11, is_remote=False))
    with use_span(span):
        assert line() == {"trace_id": f"{10:032x}", "span_id": f"{11:016x}"}
    assert line() == {"trace_id": None, "span_id": None}


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("http://collector:4318/", "http://collector:4318/v1/traces"),
        ("https://user:word%40@[::1]/otlp/v1/traces", "https://user:word%40@[::1]/otlp/v1/traces"),
        ("http://collector/a%2Fb/?key=a%26b", "http://collector/a%2Fb/v1/traces?key=a%26b"),
    ],
)
def test_traces_are_sent_below_the_endpoints_path(endpoint: str, url: str) -> None:
    """A query stays a query: the path was added to a key there."""
    assert url_of(endpoint) == url
