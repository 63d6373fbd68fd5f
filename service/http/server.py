"""Starts and ends the HTTP server that serves an application."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import cast

from aiohttp import web

from service.http.aiohttp_private import Connection, ConnectionPolicy, Shortcut
from service.http.connections import ConnectionLimits, OpenConnections
from service.http.listener import Listener, bind
from service.http.metrics import METRICS

SHORTCUT = web.AppKey("shortcut", Shortcut)
"""Answers some of the requests past the application; an application need not have one."""
STOPPING = web.AppKey("stopping", asyncio.Event)
"""Is set from the moment when the server begins to stop; `serving` puts it into the application."""

# After the drain a stop takes at most _IDLE_SECONDS, then one of the two next, then aiohttp's twice: 8.25 s in all.
_FINISH_SECONDS = 6.0
_HURRY_SECONDS = 0.5
_CLEANUP_SECONDS = 1.0  # aiohttp waits so long for handlers to end, and again for cancelled ones
_STALLED_SECONDS = 1.0  # whoever takes nothing of an answer for so long is waited for no more
_LOOK_SECONDS = 0.05
_IDLE_SECONDS = 0.25  # whoever has sent nothing for so long is about to send nothing


@asynccontextmanager
async def serving(  # noqa: PLR0913 - each has a default that serves
    app: web.Application,
    host: str | None,
    port: int,
    *,
    is_shared: bool = False,
    own_port: int | None = None,
    policy: ConnectionPolicy | None = None,
    limits: ConnectionLimits | None = None,
    drain_seconds: float = 0,
    hurry: asyncio.Event | None = None,
) -> AsyncIterator[int]:
    """Serves the application; yields the port (a free one for 0), raises OSError if it cannot listen there.

    Without a host it listens at all addresses of this machine, IPv4 and IPv6. Several processes may share a port; each
    may serve on a port of its own as well.

    At the end, unless that is an exception, it answers requests for `drain_seconds` more, or until `hurry` is set:
    each answer then ends its connection. After that it listens no more, and finishes the requests under way, for at
    most _FINISH_SECONDS, or _HURRY_SECONDS once `hurry` is set.
    """
    hurry = hurry or asyncio.Event()
    stopping = app[STOPPING] = asyncio.Event()
    runner = web.AppRunner(app, shutdown_timeout=_CLEANUP_SECONDS)
    await runner.setup()
    server, metrics = runner.server, app[METRICS]
    assert server is not None  # noqa: S101 - the runner has been set up
    open_connections = OpenConnections(limits or ConnectionLimits.of_process())

    def connect(lost: Callable[[], None]) -> Connection:
        return Connection(server, metrics, policy or ConnectionPolicy(), stopping, lost, shortcut=app.get(SHORTCUT))

    try:
        sockets = await bind(host, port, is_shared=is_shared)
        if own_port is not None:
            try:
                sockets += await bind(host, own_port)
            except OSError:
                for listening in sockets:
                    listening.close()
                raise
        listener = Listener(sockets, connect, open_connections, metrics)
        listener.start()
        try:
            yield listener.port
            stopping.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(drain_seconds):
                    await hurry.wait()
        finally:
            stopping.set()
            await listener.close()
        await _end_idle(server, open_connections)
        await _finish(server, hurry)
    finally:
        await runner.cleanup()


async def _end_idle(server: web.Server, open_connections: OpenConnections) -> None:
    """Ends idle connections. Those used last have a moment more, as their next request may be under way."""
    _end_those_idle_for(_IDLE_SECONDS, server)
    with suppress(TimeoutError):
        async with asyncio.timeout(_IDLE_SECONDS):
            await open_connections.none.wait()
    _end_those_idle_for(0, server)
    await asyncio.sleep(0)  # what has come on the others is read


def _end_those_idle_for(seconds: float, server: web.Server) -> None:
    for connection in _connections(server):
        connection.end_if_idle(seconds)


async def _finish(server: web.Server, hurry: asyncio.Event) -> None:
    """Waits until all that was asked is answered and sent; ends those who take nothing, and in the end all others."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _FINISH_SECONDS
    while busy := [connection for connection in _connections(server) if connection.is_busy]:
        if hurry.is_set():
            deadline = min(deadline, loop.time() + _HURRY_SECONDS)
        late = loop.time() >= deadline
        for connection in busy:
            if late or connection.is_stalled(_STALLED_SECONDS):
                connection.abandon()
        await asyncio.sleep(0 if late else _LOOK_SECONDS)
        if late:
            return


def _connections(server: web.Server) -> list[Connection]:
    connections = server.connections
    assert all(isinstance(each, Connection) for each in connections)  # noqa: S101 - the server has made no others
    return cast("list[Connection]", connections)
