"""The application: routes, and what their handlers use."""

import json

from aiohttp import web
from prometheus_client import CollectorRegistry

from service.api import operations, statistics
from service.api.metrics import HttpMetrics
from service.api.middleware import create_middleware
from service.api.openapi import describe
from service.api.rate_limit import RateLimiter
from service.auth.caller import Authenticator
from service.store.contract import StatisticsStore

METRICS = web.AppKey("metrics", HttpMetrics)


def create_app(
    store: StatisticsStore, authenticator: Authenticator, limiter: RateLimiter, registry: CollectorRegistry
) -> web.Application:
    """The API over a store. What is passed in belongs to the caller, who closes it after the application."""
    metrics = HttpMetrics(registry)
    app = web.Application(middlewares=[create_middleware(metrics)])
    app[METRICS] = metrics
    app[statistics.STORE] = store
    app[statistics.AUTHENTICATOR] = authenticator
    app[statistics.LIMITER] = limiter
    app[operations.REGISTRY] = registry
    app[operations.OPENAPI] = json.dumps(describe(limiter.limit), ensure_ascii=False).encode()
    app.router.add_get(statistics.ROUTE, statistics.get_statistics)
    app.router.add_get("/healthz", operations.get_health)
    app.router.add_get("/readyz", operations.get_readiness)
    app.router.add_get("/metrics", operations.get_metrics)
    app.router.add_get("/openapi.json", operations.get_openapi)
    return app
