"""The part of a connection that reads: it gives the parser one head of a request at a time."""

import asyncio
import select

from aiohttp import web
from aiohttp.http import HttpVersion10, HttpVersion11, RawRequestMessage
from aiohttp.http_exceptions import BadHttpMessage
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import _ErrInfo

from service.http.aiohttp_private.policy import ConnectionPolicy
from service.http.aiohttp_private.taking import Taking
from service.http.aiohttp_private.wire import refusal_of
from service.http.heads import HeadCutter, HeadTooLongError, answer_headers

_MAX_BODY_BYTES = 65_536  # with trailers; no resource reads one, and the parser bounds each line of trailers alone
_BODY_PIECE_BYTES = 8_192  # what may follow the end of a body, and is not counted as part of a head
_VERSIONS = (HttpVersion10, HttpVersion11)


class Reading(Taking):
    """Reads requests, up to one that it refuses, and wakes the library's task for them."""

    __slots__ = (
        "_answer_headers",
        "_body",
        "_body_bytes",
        "_client_ended",
        "_head_timer",
        "_heads",
        "_held",
        "_refused",
        "_shortened",
    )

    def __init__(self, server: web.Server, policy: ConnectionPolicy) -> None:
        super().__init__(server, policy)
        self._heads = HeadCutter()
        self._held = b""  # what has come, and is not for the parser yet
        self._body = EMPTY_PAYLOAD  # of the newest request
        self._body_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._refused = False
        self._answer_headers: dict[str, str] = {}
        self._client_ended: asyncio.Future[None] | None = None
        self._shortened: RawRequestMessage | None = None  # that is answered without the library's task

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins to wait for a request. The loop calls it, once."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Ends the connection. The loop calls it, once."""
        super().connection_lost(exc)
        self._stop_head_timer()
        self._note_client_ended()

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
                    self._messages.append(refusal_of(error))
                    self._refuse()
                    return
            if not piece:
                self._await_head()
                break
            self._feed(piece)
            if self._refused:
                return
        self._held = rest

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
                self._messages[index] = refusal_of(BadHttpMessage("an unknown version"))
            if isinstance(self._messages[index][0], _ErrInfo):
                self._answer_headers |= answer_headers(piece)
                self._refuse()
                return
        self._answer_headers.clear()
        self._begin()

    def _begin(self) -> None:
        """Begins to answer what has come, if nothing is under way."""
        self._wake()

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
