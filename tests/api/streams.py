"""What the tests of live streams share: a client that takes events one by one, and a store whose looks are let in."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from service.api.live.pace import Pace
from service.store.contract import Answer, Standing
from tests.api.support import PATH, Api, FakeStore, as_caller

STREAM = f"{PATH}/stream"
EAGER = Pace(look=0.01, as_of=0.01, silence=60, check=60)
"""Tells of each change soon, and nothing else."""
_PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Event:
    """An event as it came."""

    name: str
    id: str | None
    data: Any

    @property
    def running(self) -> int:
        """What a FakeStore counts up with each write."""
        number: int = self.data["statistics"]["total_running_num"]
        return number


@dataclass(frozen=True)
class Listener:
    """A client of one stream."""

    response: aiohttp.ClientResponse

    async def next(self) -> Event | None:
        """The next event; None at the end of the stream."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            try:
                text = await self.response.content.readuntil(b"\n\n", max_size=1 << 24)
            except aiohttp.ClientPayloadError:
                return Event("cut off", None, None)
        return parsed_event(text) if text else None

    async def until(self, name: str) -> Event:
        """The next event of that name."""
        while True:
            event = await self.next()
            assert event is not None
            if event.name == name:
                return event

    async def running(self, number: int) -> Event:
        """The next event with statistics of that many writes."""
        while (event := await self.until("statistics")).running != number:
            pass
        return event

    async def rest(self) -> list[str]:
        """The names of all events up to the end of the stream."""
        names = []
        while (event := await self.next()) is not None:
            names.append(event.name)
        return names


def parsed_event(text: bytes) -> Event:
    """The event that these lines are."""
    fields = dict(line.split(": ", 1) for line in text.decode().strip("\n").split("\n"))
    assert set(fields) <= {"event", "id", "data"}
    return Event(fields["event"], fields.get("id"), json.loads(fields["data"]))


@asynccontextmanager
async def listening(api: Api, query: str = "", headers: Any = None, **claims: Any) -> AsyncIterator[Listener]:
    """A client of a stream, with a token that has these claims."""
    sent = {**as_caller(**claims), **(headers or {})}
    timeout = aiohttp.ClientTimeout(total=None)
    async with api.client.get(STREAM + query, headers=sent, timeout=timeout) as response:
        assert response.status == 200, await response.text()
        yield Listener(response)


@dataclass
class LedStore(FakeStore):
    """A store whose looks wait until a test lets one in; questions fail with `refuses`."""

    refuses: Exception | None = None
    let_in: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def standing(self, project_id: str) -> Standing:
        """As the answer stands, when it may look."""
        await self.let_in.acquire()
        return await super().standing(project_id)

    async def read(self, *question: Any) -> Answer:
        """An answer, unless it refuses."""
        answer = await super().read(*question)
        if self.refuses is not None:
            raise self.refuses
        return answer

    def write(self) -> None:
        """Changes the answer, and lets a look in."""
        self.written += 1
        self.as_of_ms += 1
        self.let_in.release()


def silent_client(port: int, user: str = "silent", version: str = "1.1") -> socket.socket:
    """A client that asks for a stream, and takes nothing of it until it is read; its kernel takes little."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.connect(("127.0.0.1", port))
    token = as_caller(sub=user)["X-Auth-Token"]
    client.sendall(f"GET {STREAM} HTTP/{version}\r\nHost: a\r\nX-Auth-Token: {token}\r\n\r\n".encode())
    client.setblocking(False)
    return client


async def metric(api: Api, line: str) -> bool:
    """Whether the metrics have a line."""
    async with api.client.get("/metrics") as response:
        return f"\n{line}\n" in await response.text()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Waits until that holds; there is no event for it."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
