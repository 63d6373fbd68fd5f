"""A server that answers with the bytes that a test gives it: faults that no real server makes when asked."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.api.support import AS_OF_MS, PROJECT, TOTALS, USER

STATISTICS: dict[str, Any] = {"users": [USER], **TOTALS}


def http(status: int, body: str | bytes, content_type: str = "application/json", **headers: str) -> bytes:
    """A whole response; an underscore in a header's name stands for a hyphen."""
    data = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {content_type}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if content_type != "text/event-stream":
        lines.append(f"Content-Length: {len(data)}")
    return "\r\n".join([*lines, "", ""]).encode() + data


def error(status: int, code: str, **headers: str) -> bytes:
    """An error of the API."""
    return http(status, json.dumps({"error_code": code, "error_msg": "words"}), X_Request_Id="request-1", **headers)


def answer(body: object = STATISTICS, **headers: str) -> bytes:
    """An answer of the API."""
    return http(200, json.dumps(body), **{"X_Statistics_As_Of": str(AS_OF_MS), **headers})


def event(name: str, data: object, number: int) -> bytes:
    """One event of a stream."""
    return f"event: {name}\nid: {number}\ndata: {json.dumps(data)}\n\n".encode()


def stream(*events: bytes) -> bytes:
    """A stream that breaks off after these events."""
    return http(200, b"".join(events), "text/event-stream")


OPEN = b"\0"
"""What an answer ends with after which the connection stays open; alone it is no answer at all."""


@dataclass
class Stub:
    """Gives the answers of `script` in their order, the last one for ever; `requests` are the heads that came.

    `asked` is set once a request came, `left` once a client has left a connection that stays open.
    """

    url: str
    script: list[bytes] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one request of a connection, and closes it."""
        try:
            self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
            self.asked.set()
            data = self.script[min(len(self.requests), len(self.script)) - 1]
            writer.write(data.removesuffix(OPEN))
            await writer.drain()
            if data.endswith(OPEN):
                await reader.read()
                self.left.set()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            writer.close()

    def header(self, name: str) -> list[str | None]:
        """The values of a header, None for each request without it."""
        found = []
        for head in self.requests:
            lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
            found.append(lines.get(name))
        return found


@asynccontextmanager
async def serving_stub(context: ssl.SSLContext | None = None) -> AsyncIterator[Stub]:
    """A stub on a free port, with TLS if there is a context."""
    stub = Stub("")
    server = await asyncio.start_server(stub.answer, "127.0.0.1", 0, ssl=context)
    scheme = "https" if context else "http"
    stub.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield stub


PATH = f"/v2.0/{PROJECT}/gene/statistics"
