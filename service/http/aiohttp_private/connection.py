"""The connection as a server has it: it sends the answers, and has errors of the API in the place of the library's."""

import asyncio
import logging
from collections.abc import Callable

from aiohttp import web
from aiohttp.http import HttpVersion11
from aiohttp.payload import Payload

from service.http.aiohttp_private.policy import LINGERING_SECONDS, ConnectionPolicy, Shortcut
from service.http.aiohttp_private.shortening import Shortening
from service.http.aiohttp_private.wire import bytes_of, why_refused
from service.http.correlation import take_over
from service.http.errors import BAD_REQUEST, INTERNAL, ApiError
from service.http.languages import language_of
from service.http.metrics import HttpMetrics
from service.http.middleware import from_http_exception
from service.http.responses import error_response, finish
from service.http.streamed import Streamed
from service.http.whole import Whole
from service.runtime.trouble import Trouble

_log = logging.getLogger(__name__)
_FAULTS = Trouble()
_SMALL_BYTES = 32_768  # with headers well below what a transport buffers before it makes writers wait (64 KiB)


class Connection(Shortening):
    """Handles one connection. It turns answers that aiohttp makes itself into errors of the API.

    `stopping` is set while the server stops. The connection calls `lost` when it has ended.
    """

    __slots__ = ("_lost", "_metrics", "_streamed")

    def __init__(  # noqa: PLR0913 - what a connection is made of
        self,
        server: web.Server,
        metrics: HttpMetrics,
        policy: ConnectionPolicy,
        stopping: asyncio.Event,
        lost: Callable[[], None],
        *,
        shortcut: Shortcut | None = None,
    ) -> None:
        super().__init__(server, policy, stopping, shortcut)
        self._metrics = metrics
        self._lost = lost
        self._streamed: Streamed | None = None  # that is being sent

    def connection_lost(self, exc: BaseException | None) -> None:
        """Ends the connection. The loop calls it, once."""
        super().connection_lost(exc)
        self._leave_stream()
        self._lost()

    def eof_received(self) -> bool:  # type: ignore[override]  # the library's returns None, which closes the connection
        """Tells the loop whether the connection stays: until the requests that have come are answered."""
        self._note_client_ended()
        if self._is_waiting():
            return False
        self._half_closed = True
        if not self._messages:
            self._close = True  # after the request under way
        self._leave_stream()
        return True

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Returns the answer to input that is no request, or to a request that failed outside of the application.

        aiohttp calls it. Raises ConnectionError where another answer has begun. The log gets no text of the parser's
        errors: they quote what the client has sent, tokens too.
        """
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun, there is no way to make it an error")
        if status == 400:
            request._version = HttpVersion11  # the library has made up an HTTP/1.0 request
            request = request.clone(headers=self._answer_headers)
        request_id = take_over(request)
        if status == 400:
            error = ApiError(BAD_REQUEST, why_refused(exc))
            _log.debug("malformed request", extra={"reason": type(exc).__name__})
        else:
            error = ApiError(INTERNAL)
            told = _FAULTS.note(type(exc).__name__)
            if told is not None:
                _log.error("request failed", exc_info=exc, extra=told)
        return self._error(error, request, request_id)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Sends an answer; cuts off a client that does not take it in time. aiohttp awaits it."""
        finished = await self._finish(request, resp, start_time)
        self._await_taking()
        return finished

    async def _finish(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if isinstance(resp, web.HTTPException):  # an `Expect` that aiohttp refuses before any middleware
            resp = self._error(from_http_exception(resp), request, take_over(request))
        if self._is_last():
            resp.force_close()
        if self._refused and not self._messages:
            return await self._finish_last(request, resp, start_time)
        if isinstance(resp, Streamed):
            return await self._finish_streamed(request, resp, start_time)
        if self._takes_at_once(resp):
            return await self._send(request, resp, start_time)
        try:
            async with asyncio.timeout(self._policy.send_seconds):
                return await self._send(request, resp, start_time)
        except TimeoutError:
            self._cut_off()
            return resp, True

    async def _send(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Sends an answer; returns it, and whether the client has gone meanwhile."""
        if not isinstance(resp, Whole):
            return await super().finish_response(request, resp, start_time)
        if self._upgraded:  # the library then looks at what follows the request
            return await super().finish_response(request, resp.as_response(), start_time)
        if resp.keep_alive is None:
            resp.keep_alive = request.keep_alive
        transport = self.transport
        if transport is None or transport.is_closing():
            return resp, True
        transport.write(bytes_of(request, resp))
        if self._paused:
            try:
                await self._drain_helper()
            except ConnectionError:
                return resp, True
        return resp, False

    async def _finish_streamed(
        self, request: web.BaseRequest, streamed: Streamed, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Sends pieces until they end, or the client leaves: who ends its side is taken for one that has gone."""
        self._streamed, streamed.send_seconds = streamed, self._policy.send_seconds
        if self._half_closed:
            streamed.leave()
        try:
            finished, has_gone = await super().finish_response(request, streamed, start_time)
        finally:
            self._streamed = None
            await streamed.close()
        if has_gone and self._underlying is not None:
            self._underlying.abort()
        return finished, has_gone

    def _leave_stream(self) -> None:
        if self._streamed is not None:
            self._streamed.leave()

    async def _finish_last(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Sends a refusal, and reads on for a while: a client that is still sending would else lose the answer."""
        finished = await self._send(request, resp, start_time)
        if self.transport is not None and self._client_ended is not None:
            self.transport.write_eof()
            await asyncio.wait([self._client_ended], timeout=LINGERING_SECONDS)
        return finished

    def _takes_at_once(self, response: web.StreamResponse) -> bool:
        """Tells whether an answer is small, and no bytes before it wait to be sent: then sending it never waits."""
        transport = self.transport
        return (
            isinstance(response, web.Response | Whole)
            and isinstance(transport, asyncio.WriteTransport)
            and transport.get_write_buffer_size() == 0
            and not isinstance(response.body, Payload)  # which is sent in pieces, however many
            and len(response.body or b"") < _SMALL_BYTES
        )

    def _error(self, error: ApiError, request: web.BaseRequest, request_id: str) -> web.Response:
        self._metrics.malformed(error.kind.status)
        response = error_response(error, language_of(request.headers))
        finish(response, request_id)
        response.force_close()
        return response
