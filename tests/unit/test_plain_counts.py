"""Counters that are plain numbers until somebody asks for them."""

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from service.runtime.metrics import Counts


def test_plain_numbers_are_counters() -> None:
    """Each series begins at 0, also one without labels; both formats have them under the name that was given."""
    registry = CollectorRegistry()
    counts = Counts("stats_things_total", "Things.", ("kind",), registry)
    Counts("stats_others_total", "Others.", (), registry).of()
    counts.of("idle")
    for _ in range(2):
        counts.of("good").increase()
    formats = (generate_latest(registry), openmetrics.generate_latest(registry))  # type: ignore[no-untyped-call]
    lines = ('stats_things_total{kind="idle"} 0.0', 'stats_things_total{kind="good"} 2.0', "stats_others_total 0.0")
    for text in formats:
        assert b"# TYPE stats_things" in text
        assert all(line in text.decode() for line in lines)
