"""Overrides what is inside of aiohttp; no other module of the service does. Read against version 3.14.5.

`tests/unit/test_aiohttp_private.py` fails when the library changes what this module relies on. What it does, and why:

- Answers that the library makes itself - to what is no HTTP, to an `Expect` that it does not know - become errors of
  the API (`handle_error`, `finish_response`). They are HTTP/1.1, whatever the client has sent.
- The parser gets one head of a request at a time, and none above a size: it bounds each line alone, keeps the lines of
  unfinished heads twice, and loses good requests that come with a bad one (`data_received`).
- An answer whose body is there as a whole is written at once, with the bytes that the library would write (`_send`).
- A plain request may be answered by a `Shortcut`, without the library's task. The task is not woken then, and all that
  asks whether a request is under way hears of it (`_shorten`).
- Versions other than 1.0 and 1.1 are refused: the library would answer `HTTP/2.0 200 OK`.
- A client that does not take its answer, or does not end the head of its request, loses the connection after a time:
  the library would wait for ever, or for as long as it keeps idle connections. So does who leaves a rest of an answer
  for which nobody waits, or of a connection that has been closed (`_await_taking`).
- A client that ends its side after a request gets its answer (`eof_received`).
- An answer that is sent piece by piece ends as soon as its client has gone, and has no time by which it must be sent
  (`finish_response`).
- A server that stops says so in each answer, and ends idle connections at a moment when nothing has come in on them.
  It answers all requests that have come, where the library would answer one of each connection (`is_busy`), and does
  not wait for clients that take nothing (`is_stalled`).
"""

import array
import asyncio
import fcntl
import logging
import select
import termios
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import hdrs, web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import HttpVersion10, HttpVersion11, RawRequestMessage
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong
from aiohttp.http_writer import _serialize_headers
from aiohttp.payload import Payload
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import _ErrInfo
from aiohttp.web_response import REASON_PHRASES

from service.http.correlation import take_over
from service.http.errors import (
    BAD_REQUEST,
    HEAD_TOO_LONG,
    HEADER_TOO_LONG,
    INTERNAL,
    MALFORMED,
    TARGET_TOO_LONG,
    TOO_MANY_HEADERS,
    ApiError,
    Message,
)
from service.http.heads import HeadCutter, HeadTooLongError, answer_headers
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
_MAX_BODY_BYTES = 65_536  # with trailers; no resource reads one, and the parser bounds each line of trailers alone
_BODY_PIECE_BYTES = 8_192  # what may follow the end of a body, and is not counted as part of a head
_LINGERING_SECONDS = 1.0  # how long the rest of what nobody wants is read, before the connection ends
_MAX_TARGET_BYTES = 8_190
_VERSIONS = (HttpVersion10, HttpVersion11)
_LIMITS: dict[str, Any] = {
    "keepalive_timeout": 75,
    "lingering_time": _LINGERING_SECONDS,
    "max_line_size": _MAX_TARGET_BYTES,
    "max_headers": 128,
    "max_field_size": 16_384,  # a header; a token too long for us is still read, to be refused as a token
    "auto_decompress": False,
    "access_log": None,
}


@dataclass(frozen=True, slots=True)
class ConnectionPolicy:
    """Says how long a client may take: for the head of a request, and before it takes an answer."""

    head_seconds: float = 10.0
    send_seconds: float = 30.0


class Shortcut(Protocol):
    """Answers some requests without the task, the router and the handlers that others need."""

    def __call__(self, message: RawRequestMessage, tell: Callable[[Whole | None], None], /) -> bool:
        """Tells whether it takes a request; then it calls `tell` once, later, with an answer.

        It calls `tell` with None if it has no answer after all, so that the request goes the usual way.
        """
        ...


class Connection(web.RequestHandler):
    """Handles one connection. It turns answers that aiohttp makes itself into errors of the API.

    `stopping` is set while the server stops. The connection calls `lost` when it has ended.
    """

    __slots__ = (
        "_answer_headers",
        "_body",
        "_body_bytes",
        "_client_ended",
        "_draining",
        "_half_closed",
        "_head_timer",
        "_heads",
        "_held",
        "_lost",
        "_metrics",
        "_policy",
        "_refused",
        "_shortcut",
        "_shortened",
        "_stopping",
        "_streamed",
        "_taking_timer",
        "_underlying",
        "_untaken",
        "_untaken_since",
    )

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
        super().__init__(server, loop=asyncio.get_running_loop(), **_LIMITS)
        self._metrics = metrics
        self._policy = policy
        self._stopping = stopping
        self._lost = lost
        self._heads = HeadCutter()
        self._held = b""  # what has come, and is not for the parser yet
        self._body = EMPTY_PAYLOAD  # of the newest request
        self._body_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._refused = False
        self._shortcut = shortcut
        self._shortened: RawRequestMessage | None = None  # that the shortcut is answering
        self._draining: asyncio.Task[None] | None = None
        self._half_closed = False
        self._answer_headers: dict[str, str] = {}
        self._client_ended: asyncio.Future[None] | None = None
        self._streamed: Streamed | None = None  # that is being sent
        self._untaken = (0, 0)  # requests begun, bytes that wait for the client
        self._untaken_since = 0.0
        self._taking_timer: asyncio.TimerHandle | None = None
        self._underlying: asyncio.Transport | None = None  # until it has ended: the library forgets what it has closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins to wait for a request. The loop calls it, once."""
        if isinstance(transport, asyncio.Transport):
            self._underlying = transport
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Ends the connection. The loop calls it, once."""
        super().connection_lost(exc)
        self._underlying = None
        self._stop_head_timer()
        if self._taking_timer is not None:
            self._taking_timer.cancel()
        self._note_client_ended()
        self._leave_stream()
        self._lost()

    def data_received(self, data: bytes) -> None:
        """Gives the parser what has come, piece by piece. The loop calls it.

        The library calls it without data when it has room for more again.
        """
        if self._refused or self._close or self._force_close:
            return
        if not data:
            self._feed(data)
        rest = self._held + data
        while rest and len(self._messages) < self._max_msg_queue_size and not self._reading_paused:
            if not self._body.is_eof():
                piece, rest = rest[:_BODY_PIECE_BYTES], rest[_BODY_PIECE_BYTES:]
                self._body_bytes += len(piece)
                if self._body_bytes > _MAX_BODY_BYTES:
                    return  # with the body unfinished the library ends the connection, soon after its answer
            elif self._upgraded:
                piece, rest = rest, b""
            else:
                try:
                    piece, rest = self._heads.cut(rest)
                except HeadTooLongError as error:
                    self._answer_headers |= answer_headers(rest)
                    self._messages.append(_refusal(error))
                    self._refuse()
                    return
            if not piece:
                self._await_head()
                break
            self._feed(piece)
            if self._refused:
                return
        self._held = rest

    def _feed(self, piece: bytes) -> None:
        """Gives the parser a piece, and looks at the requests that it makes of it."""
        before, waiter = self._request_count, self._waiter
        self._waiter = None  # the library would wake its task, which is too late for the shortcut
        super().data_received(piece)
        self._waiter = waiter
        if self._request_count == before:
            if self._heads.is_within:
                self._answer_headers |= answer_headers(piece)
                self._await_head()
            return
        self._stop_head_timer()
        for index in range(before - self._request_count, 0):
            message, self._body = self._messages[index]
            self._body_bytes = 0
            if not isinstance(message, _ErrInfo) and message.version not in _VERSIONS:
                self._messages[index] = _refusal(BadHttpMessage("an unknown version"))
            if isinstance(self._messages[index][0], _ErrInfo):
                self._answer_headers |= answer_headers(piece)
                self._refuse()
                return
        self._answer_headers.clear()
        if not self._shorten():
            self._wake()

    def _shorten(self) -> bool:
        """Tells whether the shortcut takes the only request that there is: a plain one, on an idle connection."""
        if self._shortcut is None or not self._is_waiting() or len(self._messages) != 1 or self._paused:
            return False
        message, payload = self._messages[0]
        if isinstance(message, _ErrInfo):
            return False
        is_plain = (
            message.method == hdrs.METH_GET
            and message.version == HttpVersion11
            and not message.should_close
            and not message.upgrade
            and payload is EMPTY_PAYLOAD
            and hdrs.EXPECT not in message.headers
        )
        if not is_plain or self._half_closed or self._stopping.is_set() or self._unsent_here():
            return False
        if not self._shortcut(message, self._answer_shortened):
            return False
        self._messages.popleft()
        self._shortened = message
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        return True

    def _answer_shortened(self, answer: Whole | None) -> None:
        """Sends the answer of the shortcut; None: the request goes the usual way."""
        message, self._shortened = self._shortened, None
        assert message is not None  # noqa: S101 - it answers once
        if self.transport is None or self.transport.is_closing() or self._parser is None or self._manager is None:
            return
        if answer is None:
            self._messages.appendleft((message, EMPTY_PAYLOAD))
        else:
            self._parser.message_consumed()
            self._manager.requests_count += 1
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
            is_last = (self._half_closed or self._stopping.is_set()) and not self._messages and not self._held
            answer.keep_alive = not is_last
            self.transport.write(_bytes_of(message, answer))
            if self._paused:
                self._shortened = message  # until the client has taken it
                self._draining = self._loop.create_task(self._drain(is_last=is_last))
                return
            self._await_taking()
            if is_last:
                self.force_close()
        self._wake()

    async def _drain(self, *, is_last: bool) -> None:
        """Waits until the client takes an answer of the shortcut; cuts it off if it does not in time."""
        try:
            async with asyncio.timeout(self._policy.send_seconds):
                await self._drain_helper()
        except TimeoutError:
            self._cut_off()
            return
        except ConnectionError:
            return
        self._shortened = None
        self._await_taking()
        if is_last or self._close:  # the client has ended its side meanwhile, with no other request
            self.force_close()
        self._wake()

    def _await_taking(self) -> None:
        """Sees to it that the client takes the rest of an answer, if it has not yet: nobody waits for a small rest."""
        if self._taking_timer is None and self._unsent_here():
            self.is_stalled(0)  # from now on
            self._taking_timer = self._loop.call_later(self._policy.send_seconds, self._look_at_taking)

    def _look_at_taking(self) -> None:
        self._taking_timer = None
        if self._unsent_here() and self.is_stalled(self._policy.send_seconds):
            self._cut_off()
        else:
            self._await_taking()

    def _cut_off(self) -> None:
        if self._underlying is not None:
            self._underlying.abort()
        _log.debug("the client took no answer in time")

    def _wake(self) -> None:
        """Wakes the library's task, if a request is there for it, and none is under way."""
        if self._messages and self._is_waiting() and self._waiter is not None:
            self._waiter.set_result(None)

    def _refuse(self) -> None:
        """Reads no more requests; the last one that came is the refused one."""
        self._refused = True
        self._held = b""
        self._client_ended = self._loop.create_future()
        self._wake()

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

    def end_if_idle(self, seconds: float) -> None:
        """Ends the connection if it has been idle for so long, and no other request has come, not even in part."""
        idle_since = self._next_keepalive_close_time - self._keepalive_timeout
        if not self._is_waiting() or self._heads.is_within or self._held or self._loop.time() - idle_since < seconds:
            return
        assert self.transport is not None  # noqa: S101 - a lost connection does not wait
        unread = select.poll()
        unread.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        if not unread.poll(0):
            self.force_close()

    @property
    def is_busy(self) -> bool:
        """Returns whether a request is under way here, or a part of an answer is still to be sent."""
        return not self._is_waiting() or self._unsent_here()

    def is_stalled(self, seconds: float) -> bool:
        """Tells whether the client has taken nothing of what waits for it, for so long that this has been asked."""
        untaken = (self._request_count - len(self._messages), self._unsent_bytes())
        if untaken != self._untaken or not untaken[1]:
            self._untaken, self._untaken_since = untaken, self._loop.time()
        return self._loop.time() - self._untaken_since >= seconds

    def abandon(self) -> None:
        """Ends the connection at once, with the request under way and all that is not sent."""
        task = self._task_handler
        if self._underlying is not None:
            self._underlying.abort()
        if task is not None:
            task.cancel()

    def _unsent_bytes(self) -> int:
        """Returns how many bytes the client's machine has not taken, those that the kernel holds for it too."""
        if self._underlying is None:
            return 0
        held = array.array("i", [0])
        fcntl.ioctl(self._underlying.get_extra_info("socket").fileno(), termios.TIOCOUTQ, held)
        return self._underlying.get_write_buffer_size() + held[0]

    def _unsent_here(self) -> bool:
        return self._underlying is not None and self._underlying.get_write_buffer_size() > 0

    def _is_waiting(self) -> bool:
        """Returns whether no request is under way."""
        return self._waiter is not None and not self._waiter.done() and self._shortened is None

    def _note_client_ended(self) -> None:
        if self._client_ended is not None and not self._client_ended.done():
            self._client_ended.set_result(None)

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self._loop.call_later(self._policy.head_seconds, self._end_late)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end_late(self) -> None:
        self._head_timer = None
        if self._is_waiting():
            self.force_close()
        else:  # requests that came before are under way
            self._await_head()

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
            error = ApiError(BAD_REQUEST, _why(exc))
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
        if (self._half_closed or self._stopping.is_set()) and not self._messages and not self._held:
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
        transport.write(_bytes_of(request, resp))
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
            await asyncio.wait([self._client_ended], timeout=_LINGERING_SECONDS)
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


def _bytes_of(request: web.BaseRequest | RawRequestMessage, answer: Whole) -> bytes:
    """Returns an answer as it is sent: what the library's `prepare` and `write_eof` make of a `web.Response`."""
    headers, body, version = answer.headers, answer.body, request.version
    if body is not None:
        headers[hdrs.CONTENT_LENGTH] = str(len(body))
    headers[hdrs.DATE] = rfc822_formatted_time()
    if answer.keep_alive:
        if version == HttpVersion10:
            headers[hdrs.CONNECTION] = "keep-alive"
    elif version == HttpVersion11:
        headers[hdrs.CONNECTION] = "close"
    first = f"HTTP/{version.major}.{version.minor} {answer.status} {REASON_PHRASES[answer.status]}"
    head = _serialize_headers(first, headers)
    return head if body is None or request.method == hdrs.METH_HEAD else head + body


def _refusal(error: Exception) -> tuple[_ErrInfo, Any]:
    """Returns what the library queues for an input that it refuses."""
    return _ErrInfo(status=400, exc=error, message=""), EMPTY_PAYLOAD


def _why(error: BaseException | None) -> Message:
    """Returns what is wrong with an input that is refused: what is only too long is told so."""
    match error:
        case HeadTooLongError():
            return HEAD_TOO_LONG
        case LineTooLong(args=(_, int(limit), *_)):
            return TARGET_TOO_LONG if limit == _MAX_TARGET_BYTES else HEADER_TOO_LONG
        case BadHttpMessage(message="Too many headers received"):
            return TOO_MANY_HEADERS
        case _:
            return MALFORMED
