"""Starts and ends the HTTP server that serves the application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from service.http.aiohttp_private import Site

# aiohttp waits this long twice: for handlers to end, then for cancelled ones to end. Both fit into 10 s.
SHUTDOWN_TIMEOUT_SECONDS = 4
SEND_TIMEOUT_SECONDS = 30.0


@asynccontextmanager
async def serving(
    app: web.Application, host: str, port: int, send_timeout_seconds: float = SEND_TIMEOUT_SECONDS
) -> AsyncIterator[int]:
    """Serves the application; yields the port (a free one for 0), raises OSError if it cannot listen there.

    A client that does not take an answer within `send_timeout_seconds` loses its connection. At the end requests under
    way are finished, for at most twice SHUTDOWN_TIMEOUT_SECONDS.
    """
    runner = web.AppRunner(app, shutdown_timeout=SHUTDOWN_TIMEOUT_SECONDS)
    await runner.setup()
    try:
        site = Site(runner, host, port, send_timeout_seconds)
        await site.start()
        yield site.port
    finally:
        await runner.cleanup()
