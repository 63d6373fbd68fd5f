"""Makes the aiohttp application: its middleware, its routes, and the objects that the handlers use."""

import json
from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry

from service.api import access
from service.api.openapi import describe
from service.api.rate_limit import RateLimiter
from service.api.resources import operations, statistics
from service.auth.caller import Authenticator
from service.events.asyncapi import describe_topics
from service.events.documents import job_event_schema
from service.http.metrics import METRICS, HttpMetrics
from service.http.middleware import create_middleware
from service.store.contract import StatisticsStore
from service.store.errors import LayoutError


def create_app(  # noqa: PLR0913 - what an application is made of
    store: StatisticsStore,
    authenticator: Authenticator,
    limiter: RateLimiter,
    registry: CollectorRegistry,
    give_up: Callable[[LayoutError], None],
    *,
    probe_seconds: float = 2.0,
) -> web.Application:
    """Returns the API over a store. The caller closes store and authenticator, after the application has ended.

    `give_up` is called when the store turns out to be of another layout version. A readiness check gives the store and
    the identity service `probe_seconds` to answer.
    """
    metrics = HttpMetrics(registry)
    app = web.Application(middlewares=[create_middleware(metrics, give_up)])
    app[METRICS] = metrics
    app[access.STORE] = store
    app[access.AUTHENTICATOR] = authenticator
    app[access.LIMITER] = limiter
    app[operations.REGISTRY] = registry
    app[operations.PROBE_SECONDS] = probe_seconds
    app[operations.OPENAPI] = json.dumps(describe(limiter.limit), ensure_ascii=False).encode()
    app.router.add_get(statistics.ROUTE, statistics.get_statistics)
    app.router.add_get("/healthz", operations.get_health)
    app.router.add_get("/readyz", operations.get_readiness)
    app.router.add_get("/metrics", operations.get_metrics)
    app.router.add_get("/openapi.json", operations.get_openapi)
    schema = job_event_schema()
    app.router.add_get("/schemas/job-event.json", operations.serve_document(schema))
    app.router.add_get("/asyncapi.json", operations.serve_document(describe_topics(schema)))
    return app
