"""Clients that ask without a pause, each on a connection that it keeps."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from tests.api.support import PATH, token

ASK = f"GET {PATH} HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {token()}\r\n\r\n".encode()


@dataclass
class Tally:
    """What busy clients have seen."""

    answered: int = 0
    closed: int = 0
    lost: int = 0


async def keep_asking(port: int, tally: Tally) -> None:
    """Asks on one connection without a pause, on a new one where the server ends it, until none can be opened."""
    with suppress(ConnectionRefusedError):
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            closes = False
            try:
                while not closes:
                    writer.write(ASK)
                    head = (await reader.readuntil(b"\r\n\r\n")).lower()
                    await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))
                    tally.answered += 1
                    closes = b"connection: close" in head
                tally.closed += 1
            except (ConnectionError, asyncio.IncompleteReadError):
                tally.lost += 1
            finally:
                writer.close()
