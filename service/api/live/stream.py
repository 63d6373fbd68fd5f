"""One client's stream: the events that it sends, one after the other, until it ends."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from service.api.live.frames import Reason, State, end
from service.api.live.pace import Cursor, Pace
from service.api.live.token_watch import TokenWatch
from service.api.live.topic import Topic


class Stream:
    """Gives the events of a topic at its client's pace, until the client leaves or there is a reason to end.

    The `Streamed` that sends them asks for the next one when the one before is sent.
    """

    def __init__(  # noqa: PLR0913 - what a stream is made of
        self,
        topic: Topic,
        wake: asyncio.Event,
        cursor: Cursor,
        *,
        token: TokenWatch,
        pace: Pace,
        on_event: Callable[[], None],
        on_close: Callable[["Stream"], Awaitable[None]],
    ) -> None:
        self._topic = topic
        self._wake = wake
        self._cursor = cursor
        self._token = token
        self._pace = pace
        self._on_event = on_event
        self._on_close = on_close
        self._now = asyncio.get_running_loop().time
        self._check_at = self._now() + pace.check
        self._reason: Reason | None = None
        self._has_sent = self._has_left = self._has_ended = False

    @property
    def state(self) -> State:
        """Returns what the stream's next event will tell."""
        assert self._topic.state is not None  # noqa: S101 - the topic had one before there was a stream
        return self._topic.state

    async def next(self) -> bytes | None:
        """Returns the next event as soon as there is one, None once the stream has ended."""
        while not self._has_ended:
            self._wake.clear()
            reason = self._reason or self._topic.ended or self._token.verdict
            if reason is not None:
                self._has_ended = True
                self._on_event()
                return end(reason)
            if self._has_left and self._has_sent:  # who ends its side after the request gets what a question gets
                return None
            event, wait_seconds = self._due()
            if event is not None:
                self._has_sent = True
                self._on_event()
                return event
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_seconds):
                    await self._wake.wait()
        return None

    def end(self, reason: Reason) -> None:
        """Ends the stream with an event that tells the reason."""
        self._reason = reason
        self._wake.set()

    def leave(self) -> None:
        """Ends the stream, as its client has gone. The connection calls it."""
        self._has_left = True
        self._wake.set()

    async def close(self) -> None:
        """Gives back all that the stream has. The connection awaits it, however the stream has ended."""
        self._has_ended = True
        await self._on_close(self)  # first: it gives back the seat before it waits for anything
        await self._token.close()

    def _due(self) -> tuple[bytes | None, float]:
        """Returns the event to send now, if any, and for how many seconds there is nothing to do after it."""
        now = self._now()
        if now >= self._check_at:
            self._check_at = now + self._pace.check
            self._token.begin_check(self._wake.set)
        event, wait_seconds = self._cursor.next(self.state, now)
        return event, min(wait_seconds, self._check_at - now, self._token.left_seconds)
