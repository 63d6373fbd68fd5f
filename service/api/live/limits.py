"""Bounds how many streams there are: of a caller, of a process, and how many questions of a project they ask."""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

from service.api.live.metrics import Limit, StreamMetrics
from service.http.connections import ConnectionLimits
from service.http.errors import TOO_MANY, TOO_MANY_STREAMS, UNAVAILABLE, ApiError

_RETRY_AFTER = {"Retry-After": "5"}


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """The number of streams of one caller and of the process, and of different questions about one project."""

    per_caller: int = 16
    per_process: int = 1_250
    questions_per_project: int = 256

    @classmethod
    def of(cls, connections: ConnectionLimits) -> "StreamLimits":
        """Returns limits that leave requests half of the connections, also if all come from one address: a proxy's."""
        return cls(per_process=max(1, connections.per_address // 2))


class Seats:
    """Counts the streams of each caller."""

    def __init__(self, limits: StreamLimits, metrics: StreamMetrics) -> None:
        self._limits = limits
        self._metrics = metrics
        self._by_caller: Counter[Hashable] = Counter()
        self._total = 0

    def take(self, caller: Hashable) -> None:
        """Counts another stream of a caller; raises ApiError if it has too many (429), or the process has (503)."""
        if self._by_caller[caller] >= self._limits.per_caller:
            raise self.refusal("caller")
        if self._total >= self._limits.per_process:
            raise self.refusal("process")
        self._by_caller[caller] += 1
        self._count(1)

    def leave(self, caller: Hashable) -> None:
        """Counts the end of a stream."""
        self._by_caller[caller] -= 1
        if not self._by_caller[caller]:
            del self._by_caller[caller]
        self._count(-1)

    def refusal(self, limit: Limit) -> ApiError:
        """Counts a refusal, and returns the error that tells of it. Where this process is full another may not be."""
        self._metrics.refused(limit)
        return ApiError(UNAVAILABLE if limit == "process" else TOO_MANY, TOO_MANY_STREAMS, headers=_RETRY_AFTER)

    def _count(self, change: int) -> None:
        self._total += change
        self._metrics.open(self._total)
