"""Makes the aiohttp application: its middleware, its routes, and the objects that the handlers use."""

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
from service.http.policy import DEFAULT_POLICY, HttpPolicy
from service.http.representations import GZIP, Gzip
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
) -> web.Application:
    """Returns the API over a store. The caller closes store and authenticator, after the application has ended.

    `give_up` is called when the store turns out to be of another layout version. A readiness check gives the store and
    the identity service `probe_seconds` to answer. With a prefix each path is served with and without it: probes come
    from inside, past the proxy.
    """
    metrics = HttpMetrics(registry)
    app = web.Application(middlewares=[create_middleware(metrics, give_up, policy)])
    app[METRICS] = metrics
    app[access.STORE] = store
    app[access.AUTHENTICATOR] = authenticator
    app[access.LIMITER] = limiter
    app[operations.REGISTRY] = registry
    app[operations.PROBE_SECONDS] = probe_seconds
    app[operations.AS_OF_SECONDS] = operations.create_as_of_gauge(registry)
    schema = job_event_schema()
    documents = {
        "/openapi.json": describe(limiter.limit, policy.prefix),
        "/schemas/job-event.json": schema,
        "/asyncapi.json": describe_topics(schema),
    }
    app[GZIP] = Gzip()
    for prefix in dict.fromkeys(("", policy.prefix)):
        app.router.add_get(prefix + statistics.ROUTE, statistics.get_statistics)
        app.router.add_get(f"{prefix}/healthz", operations.get_health)
        app.router.add_get(f"{prefix}/readyz", operations.get_readiness)
        app.router.add_get(f"{prefix}/metrics", operations.get_metrics)
        for path, document in documents.items():
            app.router.add_get(prefix + path, operations.serve_document(document))
    return app
