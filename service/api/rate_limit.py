"""Limits how often each caller may ask: it keeps a token bucket for each of the most recent callers.

A caller is whatever is counted: a user in a project, or an address that sends tokens.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

BURST_SECONDS = 2  # a full bucket holds what the rate gives in this time


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The number of requests a second for each caller (0: no limit), and how many callers are remembered."""

    per_second: int
    max_callers: int = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at_seconds: float


class RateLimiter:
    """Counts the requests of each caller. A caller that was forgotten for newer ones has a full bucket again."""

    def __init__(self, limit: RateLimit, monotonic_seconds: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self.monotonic_seconds = monotonic_seconds
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    def take(self, caller: Hashable) -> float:
        """Counts one request; returns 0.0 if it may be answered now, else the seconds until one may."""
        rate = self.limit.per_second
        if rate == 0:
            return 0.0
        now = self.monotonic_seconds()
        capacity = rate * BURST_SECONDS
        bucket = self._buckets.setdefault(caller, _Bucket(capacity, now))
        self._buckets.move_to_end(caller)
        if len(self._buckets) > self.limit.max_callers:
            self._buckets.popitem(last=False)
        bucket.tokens = min(capacity, bucket.tokens + (now - bucket.filled_at_seconds) * rate)
        bucket.filled_at_seconds = now
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / rate
        bucket.tokens -= 1
        return 0.0

    def give_back(self, caller: Hashable) -> None:
        """Takes back what `take` counted, for a request that turned out not to count."""
        bucket = self._buckets.get(caller)
        if bucket is not None:
            bucket.tokens += 1
