"""docs/metrics.md has each metric of each process with its type and labels; what is not known has no series."""

import re
from collections import Counter
from typing import Any, cast

from aiohttp.test_utils import make_mocked_request
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

import consumers.ingest.worker
from consumers.lag import LagRecords, LagSeconds
from consumers.metrics import RESYNC_REASONS, ConsumerMetrics
from consumers.transitions import TransitionsCollector
from consumers.upkeep.findings import Findings
from service.api.app import create_app
from service.api.rate_limit import RateLimit, RateLimiter
from service.auth.metrics import IdentityMetrics
from service.events.event import JobStatus
from service.http.metrics import HttpMetrics, exposition
from service.runtime.metrics import KnownGauge, create_registry
from service.store.errors import StoreDeniedError
from service.store.layout.heads import LAYOUT_VERSION
from service.store.read.metrics import QueryMetrics
from tests.docs import everything
from tests.metrics import described, documented

_SERIES_OF_A_PARTITION = 6
OPENMETRICS = "application/openmetrics-text"


def of_consumers() -> CollectorRegistry:
    """What `python -m consumers` registers."""
    registry = create_registry(LAYOUT_VERSION)
    ConsumerMetrics(registry)
    TransitionsCollector(dict.fromkeys(JobStatus, 0), registry)
    HttpMetrics(registry)
    return registry


def of_the_api() -> CollectorRegistry:
    """What `python -m service` registers."""
    registry = create_registry(LAYOUT_VERSION)
    IdentityMetrics(registry).expect("validate", "login")
    QueryMetrics(registry)
    create_app(cast("Any", None), cast("Any", None), RateLimiter(RateLimit(1)), registry, lambda _: None)
    return registry


def test_the_table_has_each_metric_of_consumers() -> None:
    """Names, types and labels; nothing missing, nothing more."""
    assert documented("consumers", "both") == described(of_consumers())


def test_the_table_has_each_metric_of_the_api() -> None:
    """Names, types and labels; nothing missing, nothing more."""
    assert documented("the API", "both") == described(of_the_api())


def test_no_document_names_a_metric_that_is_not_there() -> None:
    """A name with an asterisk or a bare prefix is of many."""
    known = documented("consumers", "the API", "both")
    histograms = {f"{name}{suffix}" for name in known for suffix in ("_bucket", "_count", "_sum")}
    named = re.findall(
        r"\bstats_(?:consumer|http|as|build|query|store|identity|rate|redis|jobs)_\w*[a-z]\b", everything()
    )
    assert set(named) <= known.keys() | histograms


def test_help_lines_are_sentences_of_one_style() -> None:
    """Each metric says what it is, from a capital letter to a full stop."""
    for registry in (of_consumers(), of_the_api()):
        for family in registry.collect():
            if family.name.startswith("stats_"):
                assert re.fullmatch(r"[A-Z1].*\.", family.documentation), family.name


def test_series_are_there_before_the_first_event() -> None:
    """Counters begin at 0 for each value of a label that the code knows, so that a rate sees the first event."""
    labelled = {"reason", "by", "phase", "limit", "request", "script"}
    for registry in (of_consumers(), of_the_api()):
        of = described(registry)
        for family in registry.collect():
            if (
                family.type == "counter"
                and family.name.startswith("stats_")
                and labelled & of[f"{family.name}_total"].labels
            ):
                assert family.samples, family.name
                assert {sample.value for sample in family.samples} == {0.0}, family.name


def test_each_reason_of_a_resync_has_its_series() -> None:
    """The worker's errors by name, and the denial, which is an outage that says more."""
    reasons = {error.__name__ for error in (*consumers.ingest.worker._RESYNCING, StoreDeniedError)}
    assert set(RESYNC_REASONS) == reasons


def test_what_is_not_known_has_no_series() -> None:
    """A gauge without a value is named and has none; it loses the value that is not known any more."""
    registry = CollectorRegistry()
    alone, many = KnownGauge("alone", "One.", registry=registry), KnownGauge("many", "Many.", "kind", registry=registry)
    assert [sample for family in registry.collect() for sample in family.samples] == []
    alone.set(0)
    many.set_all({"a": 1, "b": 2})
    assert registry.get_sample_value("alone") == 0
    assert registry.get_sample_value("many", {"kind": "b"}) == 2
    alone.set(None)
    many.set_all({"a": 1})
    assert registry.get_sample_value("alone") is None
    assert registry.get_sample_value("many", {"kind": "b"}) is None


def test_a_consumer_that_has_seen_nothing_says_nothing_good() -> None:
    """Of its gauges those alone have a series that are true: it has no partition, and an instant is 0, which is old."""
    said = {family.name for family in of_consumers().collect() if family.type == "gauge" and family.samples}
    assert {name for name in said if name.startswith("stats_")} == {
        "stats_consumer_assigned_partitions",
        "stats_consumer_last_applied_record_timestamp_seconds",
        "stats_consumer_scrub_timestamp_seconds",
        "stats_http_connections",
    }


class Clock:
    """Seconds, as a test sets them."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_lag_in_seconds() -> None:
    """It is 0 at the end, grows by itself when looks cease, is the watermark's age before the end, and goes with its
    partition; of a partition without a watermark nothing is known."""
    registry, clock = CollectorRegistry(), Clock()
    lag = LagSeconds(registry, clock)

    def seconds(partition: int) -> float | None:
        return registry.get_sample_value("stats_consumer_lag_seconds", {"partition": str(partition)})

    lag.note(0, 59_000, 60_000, is_at_end=True)
    lag.note(1, 20_000, 60_000, is_at_end=False)
    lag.note(2, 0, 60_000, is_at_end=True)
    lag.note(3, 70_000, 60_000, is_at_end=False)
    assert [seconds(partition) for partition in range(4)] == [0, 40, None, 0]
    clock.seconds += 3
    assert [seconds(partition) for partition in range(4)] == [0, 43, None, 3]
    clock.seconds += 57
    assert [seconds(partition) for partition in range(4)] == [61, 100, None, 60]
    lag.note(1, 60_000, 60_000, is_at_end=True)
    lag.forget(0)
    assert [seconds(0), seconds(1)] == [None, 0]


def test_lag_in_records() -> None:
    """It is known while somebody looks: a 0 from before Redis went away would say that all is applied."""
    registry, clock = CollectorRegistry(), Clock()
    lag = LagRecords(registry, clock)
    lag.note(0, 0)
    lag.note(1, 7)
    clock.seconds += 59
    lag.note(1, 8)
    clock.seconds += 2
    name = "stats_consumer_lag_records"
    assert [registry.get_sample_value(name, {"partition": each}) for each in ("0", "1")] == [None, 8]
    lag.forget(1)
    assert registry.get_sample_value(name, {"partition": "1"}) is None


def test_time_is_added_to_its_phase_also_when_it_fails() -> None:
    """A write that failed took its time."""
    registry = CollectorRegistry()
    metrics = ConsumerMetrics(registry)
    try:
        with metrics.timed("apply"):
            raise RuntimeError  # noqa: TRY301 - what a write may do
    except RuntimeError:
        pass
    assert registry.get_sample_value("stats_consumer_phase_seconds_total", {"phase": "apply"}) != 0
    assert registry.get_sample_value("stats_consumer_phase_seconds_total", {"phase": "poll"}) == 0


def test_openmetrics_for_those_who_ask_for_it() -> None:
    """Prometheus names it first, with a version; a version that is none does no harm; others get the text format."""
    registry = of_consumers()
    text = "text/plain; version=1.0.0; charset=utf-8"
    asked = {
        "": text,
        "*/*": text,
        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1": text,
        f"{OPENMETRICS};version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5": OPENMETRICS,
        "application/OpenMetrics-text;version=x": OPENMETRICS,
    }
    for accept, expected in asked.items():
        answer = exposition(make_mocked_request("GET", "/metrics", {"Accept": accept}), registry)
        assert answer.headers["Content-Type"].startswith(expected)
        if expected != text:
            assert isinstance(answer.body, bytes)
            families = parse_openmetrics(answer.body.decode())  # type: ignore[no-untyped-call]
            assert len(list(families)) == len(list(registry.collect()))


def test_memory_of_redis() -> None:
    """Sums over primaries, without a limit where one has none; and the fullest of those that have one."""
    registry = CollectorRegistry()
    metrics = ConsumerMetrics(registry)

    def said() -> list[float | None]:
        names = ("used_memory_bytes", "max_memory_bytes", "fullest_memory_ratio")
        return [registry.get_sample_value(f"stats_redis_{name}") for name in names]

    assert said() == [None, None, None]
    metrics.note_memory([{"used_memory": 10, "maxmemory": 100}, {"used_memory": 30, "maxmemory": 60}])
    assert said() == [40, 160, 0.5]
    metrics.note_memory([{"used_memory": 10, "maxmemory": 100}, {"used_memory": 30, "maxmemory": 0}])
    assert said() == [40, None, 0.1]
    metrics.note_memory([{"role": "master"}])
    assert said() == [None, None, None]


def test_findings_of_the_scrub_are_those_of_the_own_stripes() -> None:
    """None before the scrub was at each stripe; stripes of others do not count; those that come are looked at first."""
    registry, findings, own = CollectorRegistry(), Findings(), list[int]()
    metrics = ConsumerMetrics(registry)
    metrics.memory_bytes.set_by(lambda: findings.sizes_bytes(own))
    metrics.drifted_keys.set_by(lambda: findings.drifted(own))

    def said(*stripes: int) -> tuple[float | None, float | None]:
        own[:] = stripes
        nodes = registry.get_sample_value("stats_redis_memory_bytes", {"kind": "nodes"})
        return nodes, registry.get_sample_value("stats_consumer_drifted_keys")

    assert said() == (None, None)
    findings.note(0, Counter({"nodes": 5}), 0)
    assert said(0, 1) == (None, None)
    findings.note(1, Counter({"nodes": 7, "names": 1}), 3)
    assert said(0, 1) == (12, 3)
    findings.note(1, Counter({"nodes": 8}), 2)
    assert said(0, 1) == (13, 2)
    assert said(0) == (5, 0)
    assert said() == (None, None)
    assert said(0, 1) == (13, 2)
    findings.keep([0])
    assert said(0, 1) == (None, None)


def test_a_scrape_is_bounded() -> None:
    """A consumer of a thousand partitions answers with six series a partition, and less than a megabyte."""
    registry = CollectorRegistry()
    metrics = ConsumerMetrics(registry)
    few = size_of(registry)
    for partition in range(1_000):
        metrics.lag_records.note(partition, 123_456)
        metrics.lag_seconds.note(partition, 1, 2, is_at_end=False)
        metrics.watermark_seconds.labels(partition).set(1_532_605_671.002)
        metrics.gap_records.labels(partition).set(0)
        metrics.unreadable_offset.labels(partition).set(123_456)
    series = [sample for family in registry.collect() for sample in family.samples if "partition" in sample.labels]
    assert len(series) <= _SERIES_OF_A_PARTITION * 1_000
    assert few < 50_000
    assert size_of(registry) < 1_000_000


def size_of(registry: CollectorRegistry) -> int:
    """The bytes of a scrape."""
    body = exposition(make_mocked_request("GET", "/metrics"), registry).body
    assert isinstance(body, bytes)
    return len(body)
