"""The network of a simulation: connections in memory, whose bytes arrive after a delay that chance gives."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from functools import partial
from random import Random
from struct import Struct
from typing import Any
from zlib import crc32

from tests.simulation.process import PROCESS, Process

Address = tuple[str, int]
Factory = Callable[[], asyncio.BaseProtocol]

_USUAL_SECONDS = 0.0004  # most deliveries take up to so long
_LATE_SHARE, _LATE_SECONDS = 0.01, 0.03
_INSTANT = Struct("<d")
_KNOCK_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)  # after which TCP asks again for a connection


@dataclass(slots=True)
class Link:
    """How a server can be reached: not at all while it is cut off; `extra_seconds` are added to each delivery.

    The next `lost_replies` pieces that the server sends are lost, with their connections.
    The server's side of each connection belongs to `process`, if there is one.
    """

    factory: Factory
    is_listening: Callable[[], bool]
    process: Process | None
    is_cut: bool = False
    extra_seconds: float = 0.0
    lost_replies: int = 0
    ends: dict["End", None] = field(default_factory=dict)  # the server's ends of the connections that there are

    held: list[Callable[[], object]] = field(default_factory=list)  # what would have arrived while it is cut off

    def cut(self) -> None:
        """Lets nothing through until `mend`; connections stay."""
        self.is_cut = True

    def mend(self) -> None:
        """Lets everything through again, first what was sent meanwhile, as TCP sends it again."""
        self.is_cut = False
        held, self.held = self.held, []
        for arrive in held:
            arrive()

    def drop_connections(self, of: Callable[[Process | None], bool] = lambda _: True) -> None:
        """Resets the connections of some processes, or of all; what is under way is lost."""
        for end in list(self.ends):
            if of(end.peer.process):
                end.break_off()


class Network:
    """Knows who listens where. `trace` is a checksum over all that was delivered, and when."""

    def __init__(self, rnd: Random) -> None:
        self.links: dict[Address, Link] = {}
        self.trace = 0
        self._rnd = rnd

    def listen(
        self,
        address: Address,
        factory: Factory,
        is_listening: Callable[[], bool] = lambda: True,
        process: Process | None = None,
    ) -> Link:
        """Lets a server listen: `factory` makes the protocol of each connection while `is_listening`."""
        self.links[address] = link = Link(factory, is_listening, process)
        return link

    def delay_seconds(self, link: Link) -> float:
        """Returns how long the next delivery takes."""
        late = self._rnd.random() < _LATE_SHARE
        return link.extra_seconds + self._rnd.random() * (_LATE_SECONDS if late else _USUAL_SECONDS)

    async def connect(self, factory: Factory, address: Address) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Connects a client. Raises ConnectionRefusedError, or TimeoutError much later where nobody answers."""
        link = self.links.get(address)
        if link is None:
            raise ConnectionRefusedError(111, f"nobody listens at {address}")
        await asyncio.sleep(self.delay_seconds(link))
        for wait_seconds in _KNOCK_SECONDS:
            if not link.is_cut:
                break
            await asyncio.sleep(wait_seconds)
        else:
            raise TimeoutError(110, f"{address} does not answer")
        if not link.is_listening():
            raise ConnectionRefusedError(111, f"nobody listens at {address} now")
        client, server = End(self, link, address, PROCESS.get()), End(self, link, ("client", 0), link.process)
        client.peer, server.peer = server, client
        server_protocol = link.factory()
        protocol = factory()
        link.ends[server] = None
        server.begin(server_protocol)
        client.begin(protocol)
        return client, protocol

    def note(self, now: float, data: bytes) -> None:
        """Takes a delivery into the trace."""
        self.trace = crc32(_INSTANT.pack(now), crc32(data, self.trace))


class End(asyncio.Transport):
    """One end of a connection. What it writes arrives in order, in the context of the other end's process."""

    peer: "End"

    def __init__(self, network: Network, link: Link, remote: Address, process: Process | None) -> None:
        super().__init__({"peername": remote, "sockname": ("simulated", 0)})
        self._network = network
        self._link = link
        self._loop = asyncio.get_running_loop()
        self.process = process
        self._context = process.context() if process is not None else Context()
        self._protocol: Any = None
        self._arrives = 0.0
        self._is_closing = self._is_lost = self._has_eof = self._is_broken = False

    def begin(self, protocol: asyncio.BaseProtocol) -> None:
        """Connects the protocol to this end."""
        if self.process is not None:
            self.process.connections[self] = None
        self._protocol = protocol
        self._context.run(protocol.connection_made, self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Sends bytes to the other end, unless this one is closed."""
        if data and not self._is_closing:
            self._send(self.peer.take, bytes(data))

    def _send(self, arrive: Callable[..., None], *args: Any) -> None:
        self._arrives = max(self._arrives, self._loop.time() + self._network.delay_seconds(self._link))
        self._loop.call_at(self._arrives, self._arrive, arrive, args, context=self.peer._context)

    def _arrive(self, arrive: Callable[..., None], args: tuple[Any, ...]) -> None:
        if self._link.is_cut:
            again = partial(self._loop.call_soon, self._arrive, arrive, args, context=self.peer._context)
            self._link.held.append(again)
            return
        if self._link.lost_replies and self in self._link.ends:
            self._link.lost_replies -= 1
            self.break_off()
        elif not self._is_broken:
            arrive(*args)

    def take(self, data: bytes) -> None:
        """Hands bytes that have arrived to the protocol; says to the sender that nobody is here any more."""
        if self._is_lost:
            self._send(self.peer.lose, ConnectionResetError(104, "the other side has closed"))
            return
        if not self._is_closing:
            self._network.note(self._loop.time(), data)
            self._protocol.data_received(data)

    def end(self) -> None:
        """Takes the end of what the other side sends."""
        if self._is_lost or self._has_eof:
            return
        self._has_eof = True
        if not self._protocol.eof_received():
            self.close()

    def lose(self, error: Exception | None) -> None:
        """Loses the connection now."""
        if self._is_lost:
            return
        self._forget()
        self._protocol.connection_lost(error)

    def _forget(self) -> None:
        self._is_lost = self._is_closing = True
        self._link.ends.pop(self, None)
        if self.process is not None:
            self.process.connections.pop(self, None)

    def break_off(self) -> None:
        """Loses the connection at both ends; nothing that is under way arrives."""
        for end in (self, self.peer):
            if not end._is_lost:
                end._is_broken = end._is_closing = True
                error = ConnectionResetError(104, "connection reset by peer")
                self._loop.call_soon(end.lose, error, context=end._context)

    def close(self) -> None:
        """Sends what was written, and the end."""
        if not self._is_closing:
            self._is_closing = True
            self._send(self.peer.end)
            self._loop.call_soon(self.lose, None, context=self._context)

    def abort(self) -> None:
        """Ends the connection at once; the other side sees a reset."""
        if not self._is_lost:
            self._is_closing = True
            self._send(self.peer.lose, ConnectionResetError(104, "connection reset by peer"))
            self._loop.call_soon(self.lose, None, context=self._context)

    def reset(self) -> None:
        """Ends the connection of a process that is dead: the other side sees a reset, this one nothing."""
        if not self._is_lost:
            self._forget()
            self._send(self.peer.lose, ConnectionResetError(104, "connection reset by peer"))

    def is_closing(self) -> bool:
        """Returns whether nothing more is sent."""
        return self._is_closing

    def get_write_buffer_size(self) -> int:
        """Returns 0: everything is under way at once."""
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Does nothing: there is no buffer."""

    def can_write_eof(self) -> bool:
        """Returns False, as for connections over TLS."""
        return False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hands what arrives from now on to another protocol."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Returns the protocol."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def pause_reading(self) -> None:
        """Does nothing: readers of a simulation are in time."""

    def resume_reading(self) -> None:
        """Does nothing."""

    def is_reading(self) -> bool:
        """Returns True."""
        return True
