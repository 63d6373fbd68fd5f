"""Overrides what is inside of aiohttp; no other module of the service does. Read against version 3.14.5.

`tests/unit/test_aiohttp_private.py` fails when the library changes what this module relies on. What it does, and why:

- Answers that the library makes itself - to what is no HTTP, to an `Expect` that it does not know - become errors of
  the API (`RequestHandler.handle_error`, `finish_response`).
- A client that does not take its answer loses the connection after a time (`finish_response`): the library would wait
  for ever.
- Connections are instances of `Connection`: the library's own sites make none but of its class.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiohttp import web

from service.http.errors import BAD_REQUEST, INTERNAL, MALFORMED, ApiError
from service.http.metrics import HttpMetrics
from service.http.middleware import from_http_exception
from service.http.responses import error_response, finish, request_id_of

_log = logging.getLogger(__name__)
_SMALL_BYTES = 32_768  # with headers well below what a transport buffers before it makes writers wait (64 KiB)
_LIMITS: dict[str, Any] = {
    "keepalive_timeout": 75,  # also how long the headers of a connection's first request may take
    "lingering_time": 1.0,  # how long the rest of a body that nobody wants is read, before the connection ends
    "max_field_size": 16_384,  # a header; a token too long for us is still read, to be refused as a token
    "auto_decompress": False,
    "access_log": None,
}


class Connection(web.RequestHandler):
    """Handles one connection. It turns answers that aiohttp makes itself into errors of the API."""

    __slots__ = ("_lost", "_metrics", "_send_timeout_seconds")

    def __init__(
        self, server: web.Server, metrics: HttpMetrics, send_timeout_seconds: float, lost: Callable[[], None]
    ) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **_LIMITS)
        self._metrics = metrics
        self._send_timeout_seconds = send_timeout_seconds
        self._lost = lost

    def connection_lost(self, exc: BaseException | None) -> None:
        """Ends the connection. The loop calls it, once."""
        super().connection_lost(exc)
        self._lost()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Returns the answer to input that is no request, or to a request that failed outside of the application.

        aiohttp calls it. Raises ConnectionError where another answer has begun.
        """
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun, there is no way to make it an error")
        request_id = request_id_of(request)
        if status == 400:
            error = ApiError(BAD_REQUEST, MALFORMED)
            _log.debug("malformed request", exc_info=exc, extra={"request_id": request_id})
        else:
            error = ApiError(INTERNAL)
            _log.error("request failed", exc_info=exc, extra={"request_id": request_id})
        return self._refusal(error, request, request_id)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Sends an answer; cuts off a client that does not take it in time. aiohttp awaits it."""
        if isinstance(resp, web.HTTPException):  # an `Expect` that aiohttp refuses before any middleware
            resp = self._refusal(from_http_exception(resp), request, request_id_of(request))
        if self._takes_at_once(resp):
            return await super().finish_response(request, resp, start_time)
        try:
            async with asyncio.timeout(self._send_timeout_seconds):
                return await super().finish_response(request, resp, start_time)
        except TimeoutError:
            if isinstance(self.transport, asyncio.Transport):
                self.transport.abort()
            _log.debug("the client took no answer in time", extra={"path": request.path})
            return resp, True

    def _takes_at_once(self, response: web.StreamResponse) -> bool:
        """Tells whether an answer is small, and no bytes before it wait to be sent: then sending it never waits."""
        transport = self.transport
        return (
            isinstance(response, web.Response)
            and isinstance(transport, asyncio.WriteTransport)
            and transport.get_write_buffer_size() == 0
            and (response.content_length or 0) < _SMALL_BYTES
        )

    def _refusal(self, error: ApiError, request: web.BaseRequest, request_id: str) -> web.Response:
        self._metrics.malformed(error.kind.status)
        response = error_response(error, request)
        finish(response, request_id)
        response.force_close()
        return response
