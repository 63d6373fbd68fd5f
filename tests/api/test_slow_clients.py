"""Clients that do not take their answers, or take them late, whichever way these go."""

import asyncio
import gc
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from service.http import server
from service.http.aiohttp_private import Connection, ConnectionPolicy
from tests.api.support import PATH, Api, FakeStore, served, token

TOKEN = token()
ASK = f"GET {PATH} HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {TOKEN}\r\n\r\n".encode()
ASKS = {"direct": ASK, "usual": ASK.replace(PATH.encode(), PATH.encode() + b"?st%61rt=0")}
LAST = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
LARGE, SMALL = FakeStore(users=100_000), FakeStore(users=200)  # a kernel takes a part alone of the first
each_way = pytest.mark.parametrize("way", ASKS)


@dataclass
class Seen:
    """A connection as the server has it."""

    connection: Connection
    transport: asyncio.Transport
    ended: asyncio.Event = field(default_factory=asyncio.Event)  # by the client, on its side
    lost: asyncio.Event = field(default_factory=asyncio.Event)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Seen]:
    """The connections of the test, as they come."""
    seen: list[Seen] = []
    made, ended, lost = Connection.connection_made, Connection.eof_received, Connection.connection_lost

    def note_made(self: Connection, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        seen.append(Seen(self, transport))
        made(self, transport)

    def of(connection: Connection) -> Seen:
        return next(each for each in seen if each.connection is connection)

    def note_ended(self: Connection) -> bool:
        of(self).ended.set()
        return ended(self)

    def note_lost(self: Connection, error: BaseException | None) -> None:
        lost(self, error)
        of(self).lost.set()

    monkeypatch.setattr(Connection, "connection_made", note_made)
    monkeypatch.setattr(Connection, "eof_received", note_ended)
    monkeypatch.setattr(Connection, "connection_lost", note_lost)
    return seen


@contextmanager
def client_of(api: Api) -> Iterator[socket.socket]:
    """A client that lets the server send little before it takes something."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        client.connect(("127.0.0.1", api.port))
        yield client


async def make_known(api: Api) -> None:
    """Has the token checked, which is for the usual way."""
    async with api.client.get(PATH, headers={"X-Auth-Token": TOKEN}) as response:
        assert response.status == 200


async def until_connected(seen: list[Seen]) -> Seen:
    """The server's side of the client's connection, which comes behind that of `make_known`."""
    while len(seen) < 2:  # noqa: ASYNC110 - no event
        await asyncio.sleep(0.001)
    return seen[-1]


async def fill(client: socket.socket, ask: bytes, seen: list[Seen]) -> Seen:
    """Asks until a part of an answer waits in the process, for which no writer is made to wait."""
    of_client = await until_connected(seen)
    while not of_client.transport.get_write_buffer_size():
        client.send(ask)
        await asyncio.sleep(0.01)
    assert not of_client.connection.writing_paused
    return of_client


@each_way
@pytest.mark.parametrize("then", ["stays", "ends its side", "asks for the end"])
async def test_who_takes_no_small_answer_is_cut_off(seen: list[Seen], way: str, then: str) -> None:
    """An answer that fits into buffers must be taken in time as any other, even if the server has closed since."""
    async with served(SMALL, connection_policy=ConnectionPolicy(send_seconds=0.2)) as api:
        await make_known(api)
        with client_of(api) as client:
            connection = await fill(client, ASKS[way], seen)
            if then == "ends its side":
                client.shutdown(socket.SHUT_WR)
            elif then == "asks for the end":
                client.send(LAST)
            async with asyncio.timeout(30):
                await connection.lost.wait()


@each_way
async def test_a_server_that_stops_does_not_wait_for_them(
    seen: list[Seen], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes nothing for a second is ended, also where all of the answer has been written."""
    monkeypatch.setattr(server, "_FINISH_SECONDS", 600)
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(served(SMALL))
        await make_known(api)
        with client_of(api) as client:
            await fill(client, ASKS[way], seen)
            async with asyncio.timeout(30):
                await stack.pop_all().aclose()


@each_way
async def test_who_takes_some_is_not_cut_off(seen: list[Seen], way: str) -> None:
    """A client that is slow, and does take, gets all."""
    async with served(SMALL, connection_policy=ConnectionPolicy(send_seconds=1)) as api:
        await make_known(api)
        with client_of(api) as client:
            connection = await fill(client, ASKS[way], seen)
            client.setblocking(False)
            for _ in range(20):
                await asyncio.get_running_loop().sock_recv(client, 1_000)
                await asyncio.sleep(0.1)
            assert not connection.lost.is_set()


@each_way
async def test_who_ends_its_side_while_it_takes_an_answer_sees_the_end(seen: list[Seen], way: str) -> None:
    """The connection ends with the answer, as it does for one who has ended its side before."""
    async with served(LARGE) as api:
        await make_known(api)
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(ASKS[way])
        head = await reader.readuntil(b"\r\n\r\n")
        connection = await until_connected(seen)
        assert connection.connection.writing_paused
        writer.write_eof()
        await connection.ended.wait()
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        async with asyncio.timeout(30):
            assert len(await reader.read()) == length
        writer.close()


@each_way
async def test_nothing_is_done_for_who_was_cut_off(seen: list[Seen], way: str) -> None:
    """A request behind the answer that was not taken is not begun."""
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
    async with served(FakeStore(users=100_000), connection_policy=ConnectionPolicy(send_seconds=0.2)) as api:
        await make_known(api)
        with client_of(api) as client:
            client.send(ASKS[way] * 2)
            await (await until_connected(seen)).lost.wait()
            await asyncio.sleep(0)
        assert len(api.store.asked) == 2
    gc.collect()  # a task that nobody awaits says only then what it has ended with
    assert faults == []
