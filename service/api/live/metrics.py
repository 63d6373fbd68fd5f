"""The metrics of live streams."""

from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge

Limit = Literal["caller", "process", "project"]


class StreamMetrics:
    """Counts streams, what they cost the store, and those that are refused."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.open = Gauge("stats_http_streams", "Live streams that are open.", registry=registry).set
        self.sent = Counter("stats_stream_events_total", "Events that streams have sent.", registry=registry).inc
        self.looked = Counter(
            "stats_stream_looks_total",
            "Looks at a project whether it has changed, for all its streams.",
            registry=registry,
        ).inc
        self.asked = Counter(
            "stats_stream_questions_total",
            "Questions of streams, each for all that want its answer.",
            registry=registry,
        ).inc
        refused = Counter(
            "stats_http_streams_refused_total", "Streams refused, as there were too many.", ["limit"], registry=registry
        )
        self._refused = {limit: refused.labels(limit) for limit in get_args(Limit)}

    def refused(self, limit: Limit) -> None:
        """Counts a refusal: the caller or the process had too many streams, or the project too many questions."""
        self._refused[limit].inc()
