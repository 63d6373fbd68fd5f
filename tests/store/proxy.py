"""A server between a client and Redis that passes commands on; on demand it keeps or drops the replies, is slow, hangs,
or leads elsewhere."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum, auto
from urllib.parse import urlsplit


class Replies(Enum):
    """What happens to the replies of Redis."""

    PASS = auto()
    KEEP = auto()  # the client hears nothing
    CUT = auto()  # the connection ends instead


class Proxy:
    """`url` is where clients connect; `withheld` is set once Redis has replied and the client did not see it."""

    def __init__(self, target_url: str) -> None:
        self._target = urlsplit(target_url)
        self.url = ""
        self.replies = Replies.PASS
        self.delay_seconds = 0.0  # of each piece of a reply
        self.withheld = asyncio.Event()
        self.flowing = asyncio.Event()  # while it is cleared nothing goes either way, and nothing is lost
        self.flowing.set()
        self._connections: list[asyncio.Task[None]] = []
        self._age = 0  # connections that are older are forgotten

    @property
    def port(self) -> int:
        """Where clients connect."""
        return int(urlsplit(self.url).port or 0)

    def forget(self) -> None:
        """Passes nothing on any more over the connections that there are, without ending them; new ones work."""
        self._age += 1

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection until either end closes it, or the proxy ends."""
        try:
            redis_reader, redis_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        except ConnectionError:
            writer.close()
            return
        try:
            async with asyncio.TaskGroup() as group:
                self._connections.append(group.create_task(self._answer(redis_reader, writer, self._age)))
                self._connections.append(group.create_task(self._pass_on(reader, redis_writer, self._age)))
        except* ConnectionError:
            pass  # one end is gone, the other learns of it
        finally:
            for each in (writer, redis_writer):
                each.close()

    async def lead_to(self, target_url: str) -> None:
        """Ends all connections; new ones lead to this Redis."""
        self.lead_new_to(target_url)
        await self.end()

    def lead_new_to(self, target_url: str) -> None:
        """Leads new connections to this Redis; those that there are stay where they are."""
        self._target = urlsplit(target_url)

    async def end(self) -> None:
        """Ends all connections, and waits until they have ended."""
        ending, self._connections = self._connections, []
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, age: int) -> None:
        while data := await reader.read(65_536):
            if age < self._age:
                continue
            await asyncio.sleep(self.delay_seconds)
            await self.flowing.wait()
            if self.replies is Replies.PASS:
                writer.write(data)
                continue
            self.withheld.set()
            if self.replies is Replies.CUT:
                break
        writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, age: int) -> None:
        while data := await reader.read(65_536):
            if age < self._age:
                continue
            await self.flowing.wait()
            writer.write(data)
        writer.close()


@asynccontextmanager
async def running_proxy(target_url: str) -> AsyncIterator[Proxy]:
    """A proxy on a free port."""
    proxy = Proxy(target_url)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    async with server:
        yield proxy
        await proxy.end()
