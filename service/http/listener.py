"""Listens on TCP, and accepts connections as long as there are not too many."""

import asyncio
import errno
import logging
import socket
from collections import defaultdict
from collections.abc import Callable
from functools import partial

from service.http.connections import OpenConnections, party
from service.http.metrics import HttpMetrics
from service.runtime.trouble import Trouble

_log = logging.getLogger(__name__)
_BACKLOG = 1024
_EVERY_IPV4_ADDRESS = "0.0.0.0"  # noqa: S104 - the operator asks for it
_ABSENT = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}  # `localhost` is also ::1, on machines without IPv6 too
_ACCEPTED_AT_ONCE = 128
_WITHOUT_FILES_SECONDS = 1.0  # how long nothing is accepted after the system had no file for a connection


async def bind(host: str | None, port: int, *, is_shared: bool = False) -> list[socket.socket]:
    """Returns sockets that listen at a host, None for every address of this machine, IPv4 and IPv6.

    All have one port, a free one for 0. If it is shared, other processes of the same user may listen there as well, if
    they share it, too; each gets a part of the connections. Raises OSError if it cannot listen there.
    """
    listen = partial(socket.create_server, backlog=_BACKLOG, reuse_port=is_shared)
    if host is None and socket.has_dualstack_ipv6():
        return [listen(("", port), family=socket.AF_INET6, dualstack_ipv6=True)]
    loop = asyncio.get_running_loop()
    places = await loop.getaddrinfo(host or _EVERY_IPV4_ADDRESS, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    bound: list[socket.socket] = []
    absent: list[OSError] = []
    for family, _, _, _, (name, _, *rest) in dict.fromkeys(places):
        try:
            bound.append(listen((name, port, *rest), family=family))
        except OSError as error:
            if error.errno not in _ABSENT:
                for listening in bound:
                    listening.close()
                raise
            absent.append(error)
            continue
        port = bound[0].getsockname()[1]
    if not bound:
        raise absent[0]
    return bound


class Listener:
    """Accepts connections on sockets. Those above the limits are closed at once.

    `connect` makes the protocol of a connection from what the protocol must call when the connection is lost.
    """

    def __init__(
        self,
        sockets: list[socket.socket],
        connect: Callable[[Callable[[], None]], asyncio.Protocol],
        connections: OpenConnections,
        metrics: HttpMetrics,
    ) -> None:
        self._sockets = sockets
        self._connect = connect
        self._connections = connections
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        self._troubles: defaultdict[str, Trouble] = defaultdict(lambda: Trouble(self._loop.time))
        self._resuming: dict[socket.socket, asyncio.TimerHandle] = {}

    @property
    def port(self) -> int:
        """Returns the port of all the sockets."""
        port: int = self._sockets[0].getsockname()[1]
        return port

    def start(self) -> None:
        """Begins to accept connections."""
        for listening in self._sockets:
            listening.setblocking(False)
            self._resume(listening)

    async def close(self) -> None:
        """Accepts those who have connected already, and listens no more. Returns when their connections are there.

        Linux resets those who connect between the last accept and the close, so nothing is done in between.
        """
        for listening in self._sockets:
            self._loop.remove_reader(listening)
            while self._accept_some(listening):
                pass
            listening.close()
        for handle in self._resuming.values():
            handle.cancel()
        if self._opening:
            await asyncio.wait(self._opening)

    def _resume(self, listening: socket.socket) -> None:
        self._resuming.pop(listening, None)
        self._loop.add_reader(listening, self._accept_some, listening)

    def _accept_some(self, listening: socket.socket) -> bool:
        """Accepts some of those who wait; returns whether more may wait. The loop calls it."""
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                accepted, peer = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return False
            except OSError as error:  # the process or the system has no file left: the loop would call again at once
                self._tell("connections cannot be accepted", reason=error.strerror)
                self._loop.remove_reader(listening)
                self._resuming[listening] = self._loop.call_later(_WITHOUT_FILES_SECONDS, self._resume, listening)
                return False
            self._take(accepted, party(peer[0]))
        return True

    def _take(self, accepted: socket.socket, address: str) -> None:
        lack = self._connections.lack(address)
        if lack is not None:
            accepted.close()
            self._metrics.connection_refused(lack)
            self._tell("connections are refused", reason=lack, address=address)
            return
        self._connections.enter(address)
        self._metrics.connections(self._connections.total)
        opening = self._loop.create_task(self._open(accepted, address))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    async def _open(self, accepted: socket.socket, address: str) -> None:
        await self._loop.connect_accepted_socket(lambda: self._connect(partial(self._lost, address)), accepted)

    def _lost(self, address: str) -> None:
        self._connections.leave(address)
        self._metrics.connections(self._connections.total)

    def _tell(self, message: str, **fields: object) -> None:
        """Logs a message at most once a minute: these are the moments in which the log would fill the disk."""
        told = self._troubles[message].note(message)
        if told is not None:
            _log.warning(message, extra={**fields, **told})
