"""The server: many clients at once, slow ones, and the end of it."""

import asyncio
import logging
import re
import socket
from contextlib import AsyncExitStack, suppress

import aiohttp
import pytest

from service.http.aiohttp_private import ConnectionPolicy
from tests.api.support import PATH, FakeStore, as_caller, exchange, served, token


async def test_a_thousand_clients_at_once_are_answered() -> None:
    """A thousand connections that ask at the same time all get their answer."""
    headers = as_caller()
    async with (
        served() as api,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1000)) as client,
    ):

        async def ask() -> int:
            async with client.get(f"http://127.0.0.1:{api.port}{PATH}", headers=headers) as response:
                return response.status

        assert await asyncio.gather(*(ask() for _ in range(1000))) == [200] * 1000


@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
async def test_client_that_takes_nothing_loses_the_connection(caplog: pytest.LogCaptureFixture, accept: str) -> None:
    """A client that asks for much and reads nothing is cut off in time, instead of holding its answer for ever."""
    caplog.set_level(logging.DEBUG)
    request = f"GET {PATH} HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {token()}\r\nAccept: {accept}\r\n\r\n".encode()
    async with served(FakeStore(users=60_000), connection_policy=ConnectionPolicy(send_seconds=0.1)) as api:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", api.port))
            client.send(request)
            while "the client took no answer in time" not in caplog.messages:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.01)
            received = await asyncio.to_thread(received_by, client)
    length = re.search(rb"Content-Length: ([0-9]+)", received)
    assert not received.endswith(b"0\r\n\r\n") if length is None else len(received) < int(length[1])


def received_by(client: socket.socket) -> bytes:
    """Reads until the connection ends."""
    client.setblocking(True)
    received = b""
    with suppress(ConnectionResetError):
        while part := client.recv(65_536):
            received += part
    return received


async def test_request_under_way_is_finished_at_the_end() -> None:
    """Stopping refuses new connections, and still answers the request that is under way."""
    store = FakeStore()
    store.gate.clear()
    request = f"GET {PATH} HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {token()}\r\n\r\n".encode()
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(served(store))
        answer = asyncio.create_task(exchange(api.port, request))
        await store.entered.wait()
        stopping = asyncio.create_task(stack.pop_all().aclose())
        await api.draining.wait()
        with suppress(ConnectionRefusedError):
            while True:
                _, writer = await asyncio.open_connection("127.0.0.1", api.port)
                writer.close()
        assert not answer.done()
        store.gate.set()
        assert (await answer).startswith(b"HTTP/1.1 200 ")
        await stopping
