"""Exports how many jobs came into each state, as the store has counted them. No label names a project or a job."""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from service.events.event import JobStatus


class TransitionsCollector(Collector):
    """Hands out the transitions of a writer at each scrape."""

    def __init__(self, transitions: Mapping[JobStatus, int], registry: CollectorRegistry) -> None:
        self._transitions = transitions
        registry.register(self)

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yields the counter with a series for each status; the registry calls it."""
        family = CounterMetricFamily(
            "stats_consumer_transitions",
            "Jobs that came into a state with a batch that this process applied; duplicates and replays are none.",
            labels=["status"],
        )
        for status in JobStatus:
            family.add_metric([status.name], self._transitions[status])
        yield family
