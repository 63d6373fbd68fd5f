"""The registry of a process' metrics, gauges without series before they are known, and histograms for each request."""

import platform
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import accumulate

from prometheus_client import CollectorRegistry, GCCollector, Info, ProcessCollector, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

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
        self._values: Callable[[], Mapping[str, float]] = dict
        registry.register(self)

    def set(self, value: float | None) -> None:
        """Sets the value of a gauge without a label; None: it is not known."""
        self.set_all({} if value is None else {"": value})

    def set_all(self, values: Mapping[str, float]) -> None:
        """Sets all series of a gauge with a label, by the label's value."""
        kept = dict(values)
        self._values = lambda: kept

    def set_by(self, values: Callable[[], Mapping[str, float]]) -> None:
        """Has `values` say at each scrape what the series are, as `set_all` takes them; "" without a label."""
        self._values = values

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Yields the gauge with the series that are known. The registry calls it at each scrape."""
        family = GaugeMetricFamily(self._name, self._text, labels=self.labels)
        for label, value in self._values().items():
            family.add_metric([label] if self.labels else [], value)
        yield family


class Count:
    """The number of one series of `Counts`."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0

    def increase(self) -> None:
        """Counts one more."""
        self.number += 1


class Counts(Collector):
    """A counter for what every request counts; only the event loop's thread may use it.

    The library's takes a lock for each increase, which costs ten times as much.
    """

    def __init__(self, name: str, text: str, labels: Sequence[str], registry: CollectorRegistry | None) -> None:
        self._name = name
        self._text = text
        self.labels = tuple(labels)
        self._counts: dict[tuple[str, ...], Count] = {}
        if registry is not None:
            registry.register(self)

    def of(self, *labels: str) -> Count:
        """Returns the series with these values of the labels, which begins at 0."""
        return self._counts.setdefault(labels, Count())

    def collect(self) -> Iterable[CounterMetricFamily]:
        """Yields the counter. The registry calls it at each scrape."""
        family = CounterMetricFamily(self._name, self._text, labels=self.labels)
        for labels, count in self._counts.items():
            family.add_metric(labels, count.number)
        yield family


class Timing:
    """The times of one series: how many fell into each bucket, and their sum."""

    __slots__ = ("_bounds", "counts", "sum_seconds")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum_seconds = 0.0

    def observe(self, seconds: float) -> None:
        """Adds a time."""
        self.counts[bisect_left(self._bounds, seconds)] += 1
        self.sum_seconds += seconds


class Timings(Collector):
    """A histogram with one label, for what every request is timed by; only the event loop's thread may use it.

    The library's histogram takes a lock for each of the two numbers that it changes, and costs five times as much.
    """

    def __init__(
        self, name: str, text: str, label: str, bounds_seconds: Sequence[float], registry: CollectorRegistry | None
    ) -> None:
        self._name = name
        self._text = text
        self.labels = (label,)
        self._bounds = tuple(bounds_seconds)
        self._timings: dict[str, Timing] = {}
        if registry is not None:
            registry.register(self)

    def of(self, label: str) -> Timing:
        """Returns the times of a series, which begins with none."""
        return self._timings.setdefault(label, Timing(self._bounds))

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """Yields the histogram. The registry calls it at each scrape."""
        family = HistogramMetricFamily(self._name, self._text, labels=self.labels)
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        for label, timing in self._timings.items():
            buckets = list(zip(names, accumulate(timing.counts), strict=True))
            family.add_metric([label], buckets, timing.sum_seconds)
        yield family
