"""The consumer's own HTTP server: `/metrics` for Prometheus, `/healthz` and `/readyz` for an orchestrator."""

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry

from service.http.metrics import METRICS, HttpMetrics, exposition
from service.http.middleware import Outermost, create_middleware
from service.http.responses import json_response
from service.http.server import serving

NotReady = Callable[[], Awaitable[Sequence[str]]]
"""Returns what the process still waits for, nothing when it is ready. It must not raise, and must not wait for ever."""

_ALIVE_SECONDS = 60.0

_log = logging.getLogger(__name__)


class Pulse:
    """Knows whether the worker's loop still turns; `clock` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._beat = clock()

    def beat(self) -> None:
        """Notes that the loop has turned; the loop calls it."""
        self._beat = self._clock()

    def is_alive(self) -> bool:
        """Returns whether the loop has turned within the last minute; `/healthz` asks for it."""
        return self._clock() - self._beat < _ALIVE_SECONDS


@asynccontextmanager
async def serve_health(
    host: str | None, port: int, registry: CollectorRegistry, not_ready: NotReady, pulse: Pulse
) -> AsyncIterator[int]:
    """Serves health and metrics until the block ends, and yields the port that it has bound (a free one for port 0).

    Without a host it listens at all addresses, since Prometheus and an orchestrator's probes come from other machines.
    Raises OSError if it cannot listen there.
    """
    async with serving(_application(registry, not_ready, pulse), host, port) as bound_port:
        _log.info("health and metrics served on port %d", bound_port)
        yield bound_port


def _application(registry: CollectorRegistry, not_ready: NotReady, pulse: Pulse) -> web.Application:
    async def metrics(request: web.Request) -> web.Response:
        return exposition(request, registry)

    async def healthz(_request: web.Request) -> web.Response:
        return _answer({"status": "alive"}) if pulse.is_alive() else _answer({"status": "stuck"}, 503)

    async def readyz(_request: web.Request) -> web.Response:
        missing = list(await not_ready())
        if missing:
            return _answer({"status": "not ready", "not_ready": missing}, 503)
        return _answer({"status": "ready"})

    http_metrics = HttpMetrics(registry)
    application = web.Application(middlewares=[create_middleware(http_metrics, Outermost())])
    application[METRICS] = http_metrics
    application.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthz), web.get("/readyz", readyz)])
    return application


def _answer(document: dict[str, object], status: int = 200) -> web.Response:
    return json_response(json.dumps(document), status)
