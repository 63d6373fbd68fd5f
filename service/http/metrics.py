"""Prometheus metrics of HTTP requests and connections. No label holds text that a caller can choose freely."""

from functools import cache

from aiohttp import hdrs, web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from service.runtime.metrics import Count, Counts, Timing, Timings

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_OPENMETRICS = "application/openmetrics-text"
_OPENMETRICS_HEADERS = {hdrs.CONTENT_TYPE: openmetrics.CONTENT_TYPE_LATEST, hdrs.VARY: hdrs.ACCEPT}
_TEXT_HEADERS = {hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST, hdrs.VARY: hdrs.ACCEPT}
UNKNOWN_ROUTE = "unknown"
MALFORMED_ROUTE = "malformed"
CONNECTION_LIMITS = ("total", "address")


class HttpMetrics:
    """Counts and times requests by route: `unknown` where path or method have none, `malformed` for what is no HTTP."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counts(
            "stats_http_requests_total", "HTTP requests answered.", ["route", "method", "status"], registry
        )
        self._duration = Timings(
            "stats_http_request_duration_seconds",
            "Time from a request's headers to its answer being ready to send.",
            "route",
            _BUCKETS_SECONDS,
            registry,
        )
        self._connections = Gauge("stats_http_connections", "Connections that are open.", registry=registry)
        self._connections_refused = Counter(
            "stats_http_connections_refused_total",
            "Connections closed at once, as there were too many.",
            ["limit"],
            registry=registry,
        )
        for limit in CONNECTION_LIMITS:
            self._connections_refused.labels(limit)

    def answered(self, route: str, method: str, status: int, duration_seconds: float) -> None:
        """Counts a request of a route with its answer's status. The middleware calls it."""
        requests, duration = self._series(route, method if method in METHODS else "other", status)
        requests.increase()
        duration.observe(duration_seconds)

    @cache  # noqa: B019 - lives as long as the process; routes, methods and statuses are few
    def _series(self, route: str, method: str, status: int) -> tuple[Count, Timing]:
        return self._requests.of(route, method, str(status)), self._duration.of(route)

    def malformed(self, status: int) -> None:
        """Counts input that is no request, with its answer's status."""
        self._requests.of(MALFORMED_ROUTE, "other", str(status)).increase()

    def connections(self, number: int) -> None:
        """Notes how many connections are open. The listener calls it."""
        self._connections.set(number)

    def connection_refused(self, limit: str) -> None:
        """Counts a connection that was closed as there were too many: in `total`, or from its `address`."""
        self._connections_refused.labels(limit).inc()


def exposition(request: web.Request, registry: CollectorRegistry) -> web.Response:
    """Returns the answer to a scrape: OpenMetrics for whoever names that in `Accept`, Prometheus' text for all others.

    The library's own choice takes the version out of the header as it stands, and fails on one that is no number.
    """
    accepted = request.headers.get(hdrs.ACCEPT, "")
    if _OPENMETRICS in {each.partition(";")[0].strip().lower() for each in accepted.split(",")}:
        body = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
        return web.Response(body=body, headers=_OPENMETRICS_HEADERS)
    return web.Response(body=generate_latest(registry), headers=_TEXT_HEADERS)


METRICS = web.AppKey("metrics", HttpMetrics)
