"""A server of streams that does what a test wants, and a page that has the console's modules and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDictProxy

CONSOLE = Path("service/console")
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:"
_PAGE = "<!doctype html><html lang=en><title>stub</title><link rel=icon href=data:,><body><p>stub</p>"


class Connection:
    """A request for a stream, which the test answers."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._response: web.StreamResponse | None = None
        self.headers: CIMultiDictProxy[str] = request.headers
        self.gone = asyncio.Event()  # one of both sides has ended it
        self.answered: asyncio.Future[web.StreamResponse] = asyncio.get_running_loop().create_future()

    def refuse(self, status: int, **headers: str) -> None:
        """Answers with an error."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answered.set_result(web.Response(status=status, headers=named))

    async def send(self, data: bytes) -> None:
        """Sends a piece of the stream, which begins with the first."""
        if self._response is None:
            self._response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await self._response.prepare(self._request)
        await self._response.write(data)

    async def say(self, kind: str, data: str, event_id: str = "") -> None:
        """Sends an event."""
        line = f"id: {event_id}\n" if event_id else ""
        await self.send(f"{line}event: {kind}\ndata: {data}\n\n".encode())

    def close(self) -> None:
        """Ends the stream as a server does that has said everything."""
        assert self._response is not None
        self.answered.set_result(self._response)

    def break_off(self) -> None:
        """Ends the connection in the middle of the answer."""
        assert self._request.transport is not None
        self._request.transport.abort()


@dataclass
class StubService:
    """Where the page is, and who asks for a stream."""

    origin: str
    connections: asyncio.Queue[Connection] = field(default_factory=asyncio.Queue)

    async def asked(self) -> Connection:
        """The next request for a stream."""
        return await asyncio.wait_for(self.connections.get(), 30)


@asynccontextmanager
async def stub_service() -> AsyncIterator[StubService]:
    """Serves the page at `/` and streams at `/stream`."""
    service = StubService("")

    async def get_page(request: web.Request) -> web.Response:
        return web.Response(text=_PAGE, content_type="text/html", headers={"Content-Security-Policy": _POLICY})

    async def get_stream(request: web.Request) -> web.StreamResponse:
        connection = Connection(request)
        service.connections.put_nowait(connection)
        try:
            return await connection.answered
        finally:
            connection.gone.set()

    app = web.Application()
    app.router.add_get("/", get_page)
    app.router.add_get("/stream", get_stream)
    for folder in ("app", "vendor"):
        app.router.add_static(f"/{folder}", CONSOLE / folder)
    async with TestServer(app, handler_cancellation=True) as server:
        service.origin = f"http://127.0.0.1:{server.port}"
        yield service
