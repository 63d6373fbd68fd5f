"""Starts and ends the HTTP server that serves an application."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from service.http.aiohttp_private import Connection
from service.http.connections import ConnectionLimits, OpenConnections
from service.http.listener import Listener, bind
from service.http.metrics import METRICS

# aiohttp waits this long twice: for handlers to end, then for cancelled ones to end. Both fit into 10 s.
SHUTDOWN_TIMEOUT_SECONDS = 4
SEND_TIMEOUT_SECONDS = 30.0


@asynccontextmanager
async def serving(
    app: web.Application,
    host: str | None,
    port: int,
    send_timeout_seconds: float = SEND_TIMEOUT_SECONDS,
    *,
    limits: ConnectionLimits | None = None,
) -> AsyncIterator[int]:
    """Serves the application; yields the port (a free one for 0), raises OSError if it cannot listen there.

    Without a host it listens at all addresses of this machine, IPv4 and IPv6. A client that does not take an answer
    within `send_timeout_seconds` loses its connection. At the end requests under way are finished, for at most twice
    SHUTDOWN_TIMEOUT_SECONDS.
    """
    runner = web.AppRunner(app, shutdown_timeout=SHUTDOWN_TIMEOUT_SECONDS)
    await runner.setup()
    server, metrics = runner.server, app[METRICS]
    assert server is not None  # noqa: S101 - the runner has been set up

    def connect(lost: Callable[[], None]) -> Connection:
        return Connection(server, metrics, send_timeout_seconds, lost)

    try:
        sockets = await bind(host, port)
        listener = Listener(sockets, connect, OpenConnections(limits or ConnectionLimits.of_process()), metrics)
        listener.start()
        try:
            yield listener.port
        finally:
            await listener.close()
    finally:
        await runner.cleanup()
