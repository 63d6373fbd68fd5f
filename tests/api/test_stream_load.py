"""A hundred clients of one project, one of which takes nothing: what they cost, and what each gets."""

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import replace

import pytest

from service.http import server
from service.http.aiohttp_private import Connection, ConnectionPolicy
from tests.api.streams import EAGER, LedStore, listening, metric, parsed_event, silent_client, until
from tests.api.support import FakeStore, served

CLIENTS = 100
CHANGES = 5


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Connection]:
    """The connections of servers, as they are made."""
    made: list[Connection] = []

    class Noted(Connection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            made.append(self)

    monkeypatch.setattr(server, "Connection", Noted)
    return made


async def test_a_hundred_clients_cost_one_look_and_one_question_for_each_change() -> None:
    """They are of seven callers; each gets each change, and the events of all are the same bytes."""
    store = LedStore()
    async with served(store, pace=EAGER) as api, AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(listening(api, sub=f"u{n % 7}")) for n in range(CLIENTS)]
        got = [[await stream.next()] for stream in streams]
        assert (len(store.asked), len(store.looked)) == (1, 0)
        for number in range(1, CHANGES + 1):
            store.write()
            for events, stream in zip(got, streams, strict=True):
                events.append(await stream.next())
            assert (len(store.asked), len(store.looked)) == (1 + number, number)
    assert got == [got[0]] * CLIENTS
    assert [event and event.running for event in got[0]] == list(range(CHANGES + 1))


async def test_changes_in_quick_succession_are_joined() -> None:
    """A thousand writes within a second or more are a few events, and the last one tells of all."""
    store = FakeStore()
    async with served(store, pace=replace(EAGER, look=0.05)) as api, AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(listening(api)) for _ in range(10)]
        started = asyncio.get_running_loop().time()
        for _ in range(1_000):
            store.written += 1
            await asyncio.sleep(0.0005)
        took = asyncio.get_running_loop().time() - started
        for stream in streams:
            numbers: list[int] = []
            while not numbers or numbers[-1] != 1_000:
                numbers.append((await stream.until("statistics")).running)
            assert numbers == sorted(set(numbers))
            assert len(numbers) <= took / 0.05 + 3
        assert len(store.asked) <= took / 0.05 + 3


async def test_who_reads_again_gets_the_newest_and_no_queue(connections: list[Connection]) -> None:
    """What waits for a client that takes nothing is bounded, in the process and in the kernel."""
    store = LedStore(users=500)  # 100 KB
    async with served(store, pace=EAGER) as api, listening(api) as stream:
        sleeper = silent_client(api.port, version="1.0")  # not in chunks
        first = await stream.until("statistics")
        size = len(str(first.data))
        for number in range(1, 41):
            store.write()
            await stream.running(number)
            assert sum(each._unsent_bytes() for each in connections) <= 2 * size + 65_536
        reader, writer = await asyncio.open_connection(sock=sleeper, limit=1 << 24)
        await reader.readuntil(b"\r\n\r\n")
        numbers: list[int] = []
        async with asyncio.timeout(30):
            while not numbers or numbers[-1] != 40:
                event = parsed_event(await reader.readuntil(b"\n\n"))
                if event.name == "statistics":
                    numbers.append(event.running)
        writer.close()
        assert len(numbers) <= 4
        assert numbers == sorted(set(numbers))


async def test_who_takes_nothing_is_dropped() -> None:
    """After the time in which a client must take an answer; the others do not notice."""
    store = LedStore(users=20_000)
    policy = ConnectionPolicy(send_seconds=0.2)
    async with served(store, pace=EAGER, connection_policy=policy) as api:
        sleeper = silent_client(api.port)
        await until(lambda: metric(api, "stats_http_streams 1.0"))
        await until(lambda: metric(api, "stats_http_streams 0.0"))
        reader, writer = await asyncio.open_connection(sock=sleeper)
        got = b""
        with suppress(ConnectionResetError):
            while part := await reader.read(65_536):
                got += part
        writer.close()
        assert got.startswith(b"HTTP/1.1 200 ")
        assert b"\n\n" not in got
