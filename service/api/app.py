"""Makes the aiohttp application: its middleware, its routes, and the objects that the handlers use."""

import time
from collections.abc import Callable

from aiohttp import web
from opentelemetry.trace import Tracer
from prometheus_client import CollectorRegistry

from service.api import access
from service.api.direct import Direct
from service.api.docs_page.page import render
from service.api.live.hub import Hub
from service.api.live.limits import StreamLimits
from service.api.live.metrics import StreamMetrics
from service.api.live.pace import Pace
from service.api.openapi.document import describe
from service.api.rate_limit import RateLimiter
from service.api.resources import console, documents, operations, statistics, stream, time_series
from service.api.totals import TOTALS, TotalsExport
from service.api.turns import Turns
from service.auth.caller import Authenticator
from service.events.asyncapi import describe_topics
from service.events.documents import job_event_schema
from service.http.connections import ConnectionLimits
from service.http.metrics import METRICS, HttpMetrics
from service.http.middleware import Outermost, create_middleware
from service.http.policy import DEFAULT_POLICY, HttpPolicy
from service.http.representations import GZIP, Gzip
from service.http.server import SHORTCUT
from service.http.traced import trace_requests
from service.store.contract import StatisticsStore
from service.store.errors import LayoutError


def create_app(  # noqa: PLR0913 - what an application is made of
    store: StatisticsStore,
    authenticator: Authenticator,
    limiter: RateLimiter,
    registry: CollectorRegistry,
    give_up: Callable[[LayoutError], None],
    *,
    policy: HttpPolicy = DEFAULT_POLICY,
    probe_seconds: float = 2.0,
    stream_limits: StreamLimits | None = None,
    pace: Pace | None = None,
    tracer: Tracer | None = None,
    now_seconds: Callable[[], float] = time.time,
) -> web.Application:
    """Returns the API over a store. The caller closes store and authenticator, after the application has ended.

    `give_up` is called when the store turns out to be of another layout version. A readiness check gives the store and
    the identity service `probe_seconds` to answer. `now_seconds` is Unix time, by which intervals are over or not. With
    a prefix each path is served with and without it: probes come from inside, past the proxy.
    """
    metrics = HttpMetrics(registry)
    outermost = Outermost(policy, limiter.monotonic_seconds, give_up)
    middlewares = [create_middleware(metrics, outermost)]
    if tracer is not None:
        middlewares.insert(0, trace_requests(tracer, policy.prefix))
    app = web.Application(middlewares=middlewares)
    app[METRICS] = metrics
    app[access.STORE] = store
    app[access.AUTHENTICATOR] = authenticator
    app[access.LIMITER] = limiter
    app[access.REFUSALS] = RateLimiter(limiter.limit, limiter.monotonic_seconds)
    app[access.TURNS] = Turns()
    app[access.LIMITED] = access.create_limited_counter(registry)
    app[operations.REGISTRY] = registry
    app[operations.PROBE_SECONDS] = probe_seconds
    app[operations.READINESS] = operations.Readiness(limiter.monotonic_seconds)
    app[TOTALS] = TotalsExport(store, registry, probe_seconds)
    app[operations.AS_OF_SECONDS] = operations.create_as_of_gauge(registry)
    limits = stream_limits or StreamLimits.of(ConnectionLimits.of_process())
    app[stream.HUB] = Hub(store, authenticator, StreamMetrics(registry), give_up, limits=limits, pace=pace or Pace())
    app.cleanup_ctx.append(app[stream.HUB].live)
    description, schema = describe(limiter.limit, policy.prefix), job_event_schema()
    resources = {
        statistics.ROUTE: statistics.get_statistics,
        time_series.ROUTE: time_series.TimeSeriesResource(now_seconds).get,
        stream.ROUTE: stream.get_stream,
        "/healthz": operations.get_health,
        "/readyz": operations.get_readiness,
        "/metrics": operations.get_metrics,
        "/openapi.json": documents.serve_json(description),
        "/docs": documents.serve_page(render(description)),
        "/docs/style.css": documents.serve_style(),
        "/schemas/job-event.json": documents.serve_json(schema),
        "/asyncapi.json": documents.serve_json(describe_topics(schema)),
        **console.ROUTES,
    }
    app[GZIP] = Gzip()
    for prefix in dict.fromkeys(("", policy.prefix)):
        for path, handler in resources.items():
            app.router.add_get(prefix + path, handler)
    if len(app.middlewares) == 1:  # others, as of an agent, want to see every request
        app[SHORTCUT] = Direct(app, outermost, policy.prefix).begin
    return app
