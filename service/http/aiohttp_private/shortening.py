"""The part of a connection that has plain requests answered by a shortcut."""

import asyncio

from aiohttp import hdrs, web
from aiohttp.http import HttpVersion11
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import _ErrInfo

from service.http.aiohttp_private.policy import ConnectionPolicy, Shortcut
from service.http.aiohttp_private.reading import Reading
from service.http.aiohttp_private.wire import bytes_of
from service.http.whole import Whole


class Shortening(Reading):
    """Asks the shortcut first, where a request is a plain one and the only one."""

    __slots__ = ("_draining", "_half_closed", "_shortcut", "_stopping")

    def __init__(
        self, server: web.Server, policy: ConnectionPolicy, stopping: asyncio.Event, shortcut: Shortcut | None
    ) -> None:
        super().__init__(server, policy)
        self._stopping = stopping
        self._shortcut = shortcut
        self._draining: asyncio.Task[None] | None = None
        self._half_closed = False

    def _begin(self) -> None:
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

    def _is_last(self) -> bool:
        """Tells whether the connection ends with the answer under way: nothing has come after it, or may."""
        return (self._half_closed or self._stopping.is_set()) and not self._messages and not self._held

    def _answer_shortened(self, answer: Whole) -> None:
        """Sends the answer of the shortcut."""
        message, self._shortened = self._shortened, None
        assert message is not None  # noqa: S101 - it answers once
        if self.transport is None or self.transport.is_closing() or self._parser is None or self._manager is None:
            return
        self._parser.message_consumed()
        self._manager.requests_count += 1
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        is_last = self._is_last()
        answer.keep_alive = not is_last
        self.transport.write(bytes_of(message, answer))
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
