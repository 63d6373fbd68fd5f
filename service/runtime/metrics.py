"""The registry of a process' metrics, and gauges that have no series before their values are known."""

import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import CollectorRegistry, GCCollector, Info, ProcessCollector, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

_DISTRIBUTION = "gene-job-statistics"


def create_registry(layout_version: int) -> CollectorRegistry:
    """Returns a registry with the metrics of every process; each program calls it once, with the store's layout."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series of each counter, that nobody reads
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    build = Info(
        "stats_build", "The program that runs: its version, Python's, and the store's layout.", registry=registry
    )
    build.info({"version": _version(), "python": platform.python_version(), "layout": str(layout_version)})
    return registry


def _version() -> str:
    try:
        return version(_DISTRIBUTION)
    except PackageNotFoundError:  # run from a folder of sources
        return "unknown"


class KnownGauge(Collector):
    """A gauge whose series are there only while their values are known: a 0 before the first look would say "good".

    It has one label, or none. What does not stand in the last `set` has no series any more.
    """

    def __init__(self, name: str, text: str, label: str | None = None, *, registry: CollectorRegistry) -> None:
        self._name = name
        self._text = text
        self.labels = [label] if label else []
        self._values: Mapping[str, float] = {}
        registry.register(self)

    def set(self, value: float | None) -> None:
        """Sets the value of a gauge without a label; None: it is not known."""
        self._values = {} if value is None else {"": value}

    def set_all(self, values: Mapping[str, float]) -> None:
        """Sets all series of a gauge with a label, by the label's value."""
        self._values = dict(values)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Yields the gauge with the series that are known. The registry calls it at each scrape."""
        family = GaugeMetricFamily(self._name, self._text, labels=self.labels)
        for label, value in self._values.items():
            family.add_metric([label] if self.labels else [], value)
        yield family
