"""The metrics of who tokens are checked against: Keystone, or the host of a JWKS."""

from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Histogram

from service.runtime.metrics import Counts

Request = Literal["validate", "login", "keys"]
"""Keystone is asked about a token, or for one of this service; a JWKS is fetched."""
Result = Literal["good", "refused", "failed", "away"]
"""`refused`: the token, or the service's login, is not good. `failed`: another answer. `away`: no answer in time."""

_BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class IdentityMetrics:
    """Counts and times requests to an identity service; without a registry nobody sees them."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._requests = Counter(
            "stats_identity_requests_total",
            "Requests to the identity service, or for a JWKS.",
            ["request", "result"],
            registry=registry,
        )
        self._duration = Histogram(
            "stats_identity_request_duration_seconds",
            "Time to the answer of the identity service, or to its being given up.",
            ["request"],
            buckets=_BUCKETS_SECONDS,
            registry=registry,
        )
        self.cached = Counts(
            "stats_identity_cached_total",
            "Tokens that were remembered as checked, so that nobody was asked, and no signature verified.",
            (),
            registry,
        ).of()

    def expect(self, *requests: Request) -> None:
        """Begins the series of these requests at 0. The factory calls it for those that its authenticator makes."""
        for request in requests:
            self._duration.labels(request)
            for result in get_args(Result):
                self._requests.labels(request, result)

    def asked(self, request: Request, result: Result, duration_seconds: float) -> None:
        """Counts a request that has ended."""
        self._requests.labels(request, result).inc()
        self._duration.labels(request).observe(duration_seconds)
