"""The end of a server: no request that a client has sent is lost."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from service.http import server
from service.http.aiohttp_private import Connection
from service.http.connections import ConnectionLimits, OpenConnections
from service.http.listener import Listener, bind
from service.http.metrics import METRICS, HttpMetrics
from service.http.server import serving
from tests.api.busy import ASK, Tally, keep_asking
from tests.api.support import FakeStore, exchange, served


@pytest.mark.parametrize("drain_seconds", [0, 0.1])
async def test_no_request_is_lost(drain_seconds: float) -> None:
    """Fifty clients that ask without a pause get an answer to all that they send; the last ones end connections."""
    for _ in range(3):
        tally = Tally()
        async with AsyncExitStack() as stack:
            api = await stack.enter_async_context(served(drain_seconds=drain_seconds))
            clients = [asyncio.create_task(keep_asking(api.port, tally)) for _ in range(50)]
            while tally.answered < 100:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.001)
        await asyncio.gather(*clients)
        assert (tally.lost, tally.closed >= 50) == (0, True)


async def test_requests_are_taken_while_the_server_drains() -> None:
    """Old and new connections are served, not ready, and told to end; then nobody listens, and idle ones are closed."""
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(served(drain_seconds=30, hurry=(hurry := asyncio.Event())))
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", api.port)
        idle_writer.write(ASK)
        assert b"Connection: close" not in await idle_reader.readuntil(b"\r\n\r\n")
        ending = asyncio.create_task(stack.pop_all().aclose())
        ready = b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"
        await api.draining.wait()
        for answer in (await exchange(api.port, ready), await exchange(api.port, ready)):
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b'"The process is stopping."' in answer
            assert b"Connection: close\r\n" in answer
        writer.write(ASK * 3)  # each of several at once is answered, and the last one ends the connection
        answers = await reader.read()
        assert (answers.count(b"HTTP/1.1 200 "), answers.count(b"Connection: close")) == (3, 1)
        hurry.set()
        await idle_reader.read()
        await ending
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", api.port)
        writer.close()
        idle_writer.close()


async def test_who_connected_last_is_answered() -> None:
    """Clients that wait to be accepted when the server stops get answers, also if they send their request then."""
    with ExitStack() as sockets:
        async with AsyncExitStack() as stack:
            api = await stack.enter_async_context(served())
            clients = [
                sockets.enter_context(socket.create_connection(("127.0.0.1", api.port))) for _ in range(20)
            ]  # the loop has accepted none of them yet
            for client in clients[:10]:
                client.sendall(ASK)
            ending = asyncio.create_task(stack.pop_all().aclose())
            await api.draining.wait()
            for client in clients[10:]:
                client.sendall(ASK)
            await ending
        for client in clients:
            assert client.recv(100).startswith(b"HTTP/1.1 200 ")


async def test_next_request_of_a_busy_connection_is_answered() -> None:
    """A request on a connection that was used a moment ago is answered, also when nobody listens any more."""
    with ExitStack() as sockets:
        async with AsyncExitStack() as stack:
            api = await stack.enter_async_context(served())
            client = sockets.enter_context(socket.create_connection(("127.0.0.1", api.port)))
            client.setblocking(False)
            await asyncio.get_running_loop().sock_sendall(client, ASK)
            await asyncio.get_running_loop().sock_recv(client, 10_000)
            ending = asyncio.create_task(stack.pop_all().aclose())
            await api.draining.wait()
            for _ in range(20):  # turns in which the server would end a connection that it takes for idle
                await asyncio.sleep(0)
            client.sendall(ASK)
            await ending
        client.setblocking(True)
        answer = client.recv(10_000)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"Connection: close" in answer


async def test_listener_leaves_nobody_behind() -> None:
    """Clients that have connected before the listener closes have connections, though the loop has not turned since."""
    connected: list[object] = []

    def connect(lost: Callable[[], None]) -> asyncio.Protocol:
        connected.append(lost)
        return asyncio.Protocol()

    connections = OpenConnections(ConnectionLimits.of(1_000))
    listener = Listener(await bind("127.0.0.1", 0), connect, connections, HttpMetrics(CollectorRegistry()))
    listener.start()
    with ExitStack() as sockets:
        for _ in range(200):
            sockets.enter_context(socket.create_connection(("127.0.0.1", listener.port)))
        await listener.close()
        assert (len(connected), connections.total) == (200, 200)


async def test_connection_with_unread_bytes_is_not_idle() -> None:
    """What has come and was not read yet keeps a connection from being ended; nothing that has come does not."""
    app = web.Application()
    app[METRICS] = HttpMetrics(CollectorRegistry())
    connections: list[web.RequestHandler] = []

    async def answer(request: web.Request) -> web.Response:
        connections.append(request.protocol)
        return web.Response(text="!")

    app.router.add_get("/", answer)
    async with serving(app, "127.0.0.1", 0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")  # it is in the kernel at once
            for connection in connections:
                assert isinstance(connection, Connection)
                connection.end_if_idle(0)
            assert (await reader.readuntil(b"!")).startswith(b"HTTP/1.1 200 ")
        await asyncio.sleep(0)
        assert isinstance(connections[0], Connection)
        connections[0].end_if_idle(0)
        assert await reader.read() == b""
        writer.close()


async def test_requests_that_wait_are_few() -> None:
    """Of the requests that a client sends at once only so many as the library queues are made, however they come."""
    app = web.Application()
    app[METRICS] = HttpMetrics(CollectorRegistry())
    waiting: list[int] = []

    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(0)
        waiting.append(len(request.protocol._messages))
        return web.Response(text="!")

    app.router.add_get("/", answer)
    async with serving(app, "127.0.0.1", 0) as port:
        request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        answers = await exchange(port, request * 499 + request.replace(b"Host", b"Connection: close\r\nHost"))
    assert answers.count(b"HTTP/1.1 200 ") == 500
    assert 16 < max(waiting) <= 32


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that stops waits for ever for requests under way, and soon gives up clients that take nothing."""
    monkeypatch.setattr(server, "_FINISH_SECONDS", 1e6)
    monkeypatch.setattr(server, "_STALLED_SECONDS", 0.2)


def description_asked(port: int, times: int) -> socket.socket:
    """A connection whose client has asked that often for a body of some size, and reads nothing yet."""
    client = socket.create_connection(("127.0.0.1", port))
    client.setblocking(False)
    client.send(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * times)
    return client


@pytest.mark.usefixtures("patient")
async def test_who_takes_nothing_holds_no_stop() -> None:
    """The server ends although a client has asked for more than fits into any buffer, and takes none of it."""
    async with asyncio.timeout(30), AsyncExitStack() as stack:
        api = await stack.enter_async_context(served())
        with description_asked(api.port, 1_500):
            async with api.client.get("/healthz"):
                pass
            await stack.aclose()


@pytest.mark.usefixtures("patient")
async def test_who_reads_gets_all_that_it_has_asked_for() -> None:
    """Requests that came at once are all answered when the server stops, to a client that takes its time."""
    async with asyncio.timeout(30), AsyncExitStack() as stack:
        api = await stack.enter_async_context(served())
        client = description_asked(api.port, 300)
        async with api.client.get("/healthz"):
            pass
        reader, writer = await asyncio.open_connection(sock=client)
        ending = asyncio.create_task(stack.pop_all().aclose())
        answers = 0
        await api.draining.wait()
        while part := await reader.read(1 << 16):
            answers += part.count(b'"openapi":')
            await asyncio.sleep(0.001)
        await ending
        assert answers == 300
        writer.close()


@pytest.mark.usefixtures("patient")
async def test_a_hurry_ends_what_is_under_way() -> None:
    """A second signal ends requests whose answer does not come, also when the drain is over."""
    store = FakeStore()
    store.gate.clear()
    hurry = asyncio.Event()
    async with asyncio.timeout(30), AsyncExitStack() as stack:
        api = await stack.enter_async_context(served(store, hurry=hurry))
        asking = asyncio.create_task(exchange(api.port, ASK))
        await store.entered.wait()
        ending = asyncio.create_task(stack.pop_all().aclose())
        await api.draining.wait()
        hurry.set()
        await ending
        assert await asking == b""
