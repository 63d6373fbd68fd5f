"""An answer that is sent piece by piece, for as long as its client wants it.

The handler returns it before anything is sent. So the middleware adds the headers that every answer has, and counts and
times it, as it does with any other answer; no span and no turn of a caller stays open while it is sent.
"""

import asyncio
import socket
from collections.abc import Mapping
from typing import Protocol

from aiohttp import hdrs, web

_UNSENT_BYTES = 16_384  # what the kernel holds for a client that takes nothing, beside what is on its way


class Pieces(Protocol):
    """What an answer is made of."""

    async def next(self) -> bytes | None:
        """Returns the next piece as soon as there is one, None at the end."""
        ...

    def leave(self) -> None:
        """Ends the pieces, as nobody will take more: `next` returns None soon."""
        ...

    async def close(self) -> None:
        """Gives back what the pieces hold, whether all were taken or not."""
        ...


class Streamed(web.StreamResponse):
    """Sends pieces as they come, none before its client has taken the one before. Its connection ends with it.

    The connection calls `leave` when the client has gone, and `close` in the end.
    """

    def __init__(self, request: web.Request, pieces: Pieces, headers: Mapping[str, str]) -> None:
        super().__init__(headers=headers)
        self.force_close()
        self.leave = pieces.leave
        self.close = pieces.close
        self.send_seconds = 0.0
        self._request = request
        self._pieces = pieces

    async def write_eof(self, data: bytes = b"") -> None:
        """Sends all pieces. Raises ConnectionError if the client has gone, or takes none for `send_seconds`."""
        if self._request.method != hdrs.METH_HEAD:
            self._hold_little()
            while (piece := await self._pieces.next()) is not None:
                await self._send(piece)
        await super().write_eof(data)

    def _hold_little(self) -> None:
        """Lets a write wait while the client takes nothing: what waits in buffers is old when the client takes it."""
        transport = self._request.transport
        if transport is None:
            raise ConnectionResetError("the client has gone")
        transport.set_write_buffer_limits(high=0)
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * self.send_seconds))

    async def _send(self, piece: bytes) -> None:
        try:
            async with asyncio.timeout(self.send_seconds):
                await self.write(piece)
                await self._request.writer.drain()
        except TimeoutError as error:
            raise ConnectionAbortedError("the client took nothing in time") from error
