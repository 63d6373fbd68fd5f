"""The consumer's own HTTP server: `/metrics` for Prometheus, `/healthz` and `/readyz` for an orchestrator."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

NotReady = Callable[[], Awaitable[Sequence[str]]]
"""Returns what the process still waits for, nothing when it is ready. It must not raise, and must not wait for ever."""

# How long the end of the process waits for a probe or a scrape that is under way.
_SHUTDOWN_SECONDS = 1.0
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
async def serve_health(port: int, registry: CollectorRegistry, not_ready: NotReady, pulse: Pulse) -> AsyncIterator[int]:
    """Serves health and metrics until the block ends, and yields the port that it has bound (a free one for port 0).

    Raises OSError if the port cannot be bound.
    """
    runner = web.AppRunner(
        _application(registry, not_ready, pulse), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS
    )
    await runner.setup()
    try:
        # Prometheus and the orchestrator's probes come from other machines.
        await web.TCPSite(runner, "0.0.0.0", port).start()  # noqa: S104
        bound_port: int = runner.addresses[0][1]
        _log.info("health and metrics served on port %d", bound_port)
        yield bound_port
    finally:
        await runner.cleanup()


def _application(registry: CollectorRegistry, not_ready: NotReady, pulse: Pulse) -> web.Application:
    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_request: web.Request) -> web.Response:
        if not pulse.is_alive():
            return web.json_response({"status": "stuck"}, status=503)
        return web.json_response({"status": "alive"})

    async def readyz(_request: web.Request) -> web.Response:
        missing = list(await not_ready())
        if missing:
            return web.json_response({"status": "not ready", "not_ready": missing}, status=503)
        return web.json_response({"status": "ready"})

    application = web.Application(middlewares=[_json_errors])
    application.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthz), web.get("/readyz", readyz)])
    return application


@web.middleware
async def _json_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return web.json_response({"error": error.reason}, status=error.status, headers=headers)
