"""The lag of each partition, as a scrape finds it.

In seconds it grows by itself while nothing is applied. In records nobody knows it while nothing is read.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

# At the end of a partition its watermark moves about twice a second. Where it is older than this, nobody can tell
# whether that is still the end: the broker or Redis does not answer.
_FRESH_SECONDS = 5.0
# While Redis or Kafka is away, nobody sees how many records come in.
_KNOWN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Look:
    at_seconds: float
    age_seconds: float
    is_at_end: bool


class LagSeconds(Collector):
    """Holds the age of the oldest record of each partition that may not be applied; `clock` gives monotonic seconds.

    Nothing is asked for it: all that was published before the watermark is applied, so no record that is not applied
    is older than the watermark. A partition of which nothing is known has no series.
    """

    labels = ("partition",)

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looks: dict[int, _Look] = {}
        registry.register(self)

    def note(self, partition: int, watermark_ms: int, now_ms: int, is_at_end: bool) -> None:
        """Notes the watermark of what is applied (0: not known), and whether all records of the partition are."""
        if watermark_ms > 0:
            self._looks[partition] = _Look(self._clock(), max(0, now_ms - watermark_ms) / 1000, is_at_end)

    def forget(self, partition: int) -> None:
        """Drops a partition that this consumer no longer has."""
        self._looks.pop(partition, None)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Yields the lag of each partition as it is now. The registry calls it at each scrape."""
        family = GaugeMetricFamily(
            "stats_consumer_lag_seconds",
            "Age of the oldest record of an assigned partition that may not be applied yet; 0: all are.",
            labels=self.labels,
        )
        for partition, look in self._looks.items():
            age_seconds = look.age_seconds + self._clock() - look.at_seconds
            is_zero = look.is_at_end and age_seconds < _FRESH_SECONDS
            family.add_metric([str(partition)], 0.0 if is_zero else age_seconds)
        yield family


class LagRecords(Collector):
    """Holds how many records of each partition are not applied; `clock` gives monotonic seconds.

    A partition of which nobody was told for a minute has no series: its last value may say that all is well.
    """

    labels = ("partition",)

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looks: dict[int, tuple[float, int]] = {}
        registry.register(self)

    def note(self, partition: int, records: int) -> None:
        """Notes how many records of a partition are not applied now."""
        self._looks[partition] = self._clock(), records

    def forget(self, partition: int) -> None:
        """Drops a partition that this consumer no longer has."""
        self._looks.pop(partition, None)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Yields the lag of each partition where it is known. The registry calls it at each scrape."""
        family = GaugeMetricFamily(
            "stats_consumer_lag_records",
            "Records in an assigned partition that are not applied yet; none: not known for a minute.",
            labels=self.labels,
        )
        for partition, (looked_at_seconds, records) in self._looks.items():
            if self._clock() - looked_at_seconds < _KNOWN_SECONDS:
                family.add_metric([str(partition)], records)
        yield family
