"""The part of a connection that sees to it that its client takes what is sent."""

import array
import asyncio
import fcntl
import logging
import termios

from aiohttp import web

from service.http.aiohttp_private.policy import LIMITS, ConnectionPolicy

_log = logging.getLogger(__name__)


class Taking(web.RequestHandler):
    """Knows what waits for the client, and cuts off one that does not take it in time."""

    __slots__ = ("_policy", "_taking_timer", "_underlying", "_untaken", "_untaken_since")

    def __init__(self, server: web.Server, policy: ConnectionPolicy) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **LIMITS)
        self._policy = policy
        self._untaken = (0, 0)  # requests begun, bytes that wait for the client
        self._untaken_since = 0.0
        self._taking_timer: asyncio.TimerHandle | None = None
        self._underlying: asyncio.Transport | None = None  # until it has ended: the library forgets what it has closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes the connection over from the loop, which calls it once."""
        if isinstance(transport, asyncio.Transport):
            self._underlying = transport
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Ends the connection. The loop calls it, once."""
        super().connection_lost(exc)
        self._underlying = None
        if self._taking_timer is not None:
            self._taking_timer.cancel()

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

    def _unsent_bytes(self) -> int:
        """Returns how many bytes the client's machine has not taken, those that the kernel holds for it too."""
        if self._underlying is None:
            return 0
        held = array.array("i", [0])
        fcntl.ioctl(self._underlying.get_extra_info("socket").fileno(), termios.TIOCOUTQ, held)
        return self._underlying.get_write_buffer_size() + held[0]

    def _unsent_here(self) -> bool:
        return self._underlying is not None and self._underlying.get_write_buffer_size() > 0
