"""The metrics of questions: how each answer was had, how long it took, and why there was none."""

from typing import get_args

from prometheus_client import CollectorRegistry, Counter

from service.runtime.metrics import Timings
from service.store.contract import How
from service.store.errors import Lack, LayoutError, StoreUnavailableError

_BUCKETS_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
FAILED = "failed"


class QueryMetrics:
    """Counts and times questions; without a registry nobody sees them."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        duration = Timings(
            "stats_query_duration_seconds",
            "Time to the answer of a question, without waiting for a turn and sending it, by how the answer was had.",
            "class",
            _BUCKETS_SECONDS,
            registry,
        )
        errors = Counter(
            "stats_store_errors_total", "Questions that the store did not answer.", ["reason"], registry=registry
        )
        self._duration = {name: duration.of(name) for name in (*get_args(How), FAILED)}
        self._errors = {reason: errors.labels(reason) for reason in get_args(Lack)}

    def answered(self, how: How, duration_seconds: float) -> None:
        """Counts an answer. The store calls it for each question."""
        self._duration[how].observe(duration_seconds)

    def failed(self, error: StoreUnavailableError | LayoutError, duration_seconds: float) -> None:
        """Counts a question that had no answer."""
        self._duration[FAILED].observe(duration_seconds)
        self._errors[error.reason].inc()
