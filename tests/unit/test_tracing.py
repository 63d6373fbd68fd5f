"""Traces: which records are linked, and what keeps a process that is to trace from starting."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from consumers.ingest.batch import Batch
from consumers.ingest.traced import links_of
from service.runtime.settings import SettingsError
from service.runtime.tracing import tracing

_TP = TopicPartition("events", 0)


def batch_of(*headers: list[tuple[str, bytes | None]]) -> Batch:
    """A batch with a record for each list of headers."""
    batch = Batch()
    batch.portions.append((_TP, [SimpleNamespace(headers=each) for each in headers]))
    return batch


def traceparent(number: int, flags: str = "01") -> tuple[str, bytes | None]:
    """The header of a record that was published in a span with this number."""
    return "traceparent", f"00-{number:032x}-{number:016x}-{flags}".encode()


def test_links_are_to_sampled_traces_once_each_and_few() -> None:
    """Unsampled ones and what is no context are left out, and so is what is more than 128."""
    odd: list[tuple[str, bytes | None]] = [("traceparent", None), ("traceparent", b"\xff" * 55), ("other", b"")]
    batch = batch_of([traceparent(1)], [traceparent(1)], [traceparent(2, "00")], [traceparent(3, "03")], [], odd)
    links = links_of(batch)
    assert links is not None
    assert [each.context.trace_id for each in links] == [1, 3]
    many = links_of(batch_of(*[[traceparent(number)] for number in range(1, 1_000)]))
    assert many is not None
    assert len(many) == 128


def test_a_batch_is_traced_unless_all_who_decide_decide_against_it() -> None:
    """Without a context nobody has decided."""
    assert links_of(batch_of([], [("other", b"a")])) == []
    assert links_of(batch_of([], [traceparent(1, "00")])) is None
    assert links_of(batch_of([traceparent(1, "00")], [traceparent(2)])) != []


def test_a_tracestate_goes_with_its_trace() -> None:
    """What a vendor adds stays with the context."""
    links = links_of(batch_of([("tracestate", b"vendor=1"), traceparent(1)]))
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
