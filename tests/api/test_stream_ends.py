"""How streams end: with their token, with the process, with their client; and how many there may be."""

import asyncio
import socket
import struct
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from service.api.live.limits import StreamLimits
from service.api.live.token_watch import TokenWatch
from service.auth.caller import Caller, IdentityUnavailableError, InvalidTokenError
from service.http.connections import ConnectionLimits
from tests.api.streams import EAGER, STREAM, Event, LedStore, listening, metric, silent_client, until
from tests.api.support import PATH, PROJECT, Clock, as_caller, served

CALLER = Caller(PROJECT, "u", is_administrator=True)


@dataclass
class Identity:
    """An Authenticator that answers what it was told; `asked` counts how often it was asked."""

    answer: Caller | Exception = CALLER
    asked: int = 0
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def authenticate(self, token: str) -> Caller:
        """What it was told."""
        self.asked += 1
        self.was_asked.set()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def known(self, token: str) -> None:
        """Is asked each time."""

    def note_known(self) -> None:
        """Is never called."""

    def knows(self, token: str) -> bool:
        """Needs no check."""
        return True

    async def ping(self) -> None:
        """Is there."""


async def test_it_ends_with_its_token() -> None:
    """By the token's own end; the answer ends as it should, and so does the connection."""
    async with served() as api, listening(api, exp=time.time() + 0.5) as stream:
        await stream.until("statistics")
        assert await stream.until("end") == Event("end", None, {"reason": "expired"})
        assert await stream.next() is None


@pytest.mark.parametrize(
    "answer",
    [InvalidTokenError("revoked"), replace(CALLER, is_administrator=False), replace(CALLER, project_id="other")],
    ids=["revoked", "no administrator any more", "of another project"],
)
async def test_it_ends_when_its_token_is_good_no_more(answer: Caller | Exception) -> None:
    """A token is checked again and again; while nobody can check it, the stream goes on."""
    identity = Identity()
    async with served(authenticator=identity, pace=replace(EAGER, check=0.01)) as api, listening(api) as stream:
        await stream.until("statistics")
        for good in (CALLER, IdentityUnavailableError("away"), replace(CALLER, name="renamed")):
            identity.answer = good
            identity.was_asked.clear()
            await identity.was_asked.wait()
        identity.answer = answer
        assert await stream.until("end") == Event("end", None, {"reason": "revoked"})
        assert await stream.next() is None


async def test_a_check_does_not_wait_for_the_one_before() -> None:
    """However slow identity is, one check of a token is under way, and it ends with the stream."""
    entered, gone = asyncio.Event(), asyncio.Event()

    class Slow(Identity):
        async def authenticate(self, token: str) -> Caller:
            await super().authenticate(token)
            entered.set()
            try:
                await asyncio.Event().wait()
            finally:
                gone.set()
            raise AssertionError

    identity, ended = Slow(), [0]
    watch = TokenWatch("t", replace(CALLER, expires_at_seconds=5.0), identity, clock := Clock(now_seconds=4.0))
    for _ in range(3):
        watch.begin_check(lambda: ended.append(1))
        await entered.wait()
    assert (identity.asked, watch.verdict, watch.left_seconds) == (1, None, 1.0)
    clock.now_seconds = 5.0
    assert watch.verdict == "expired"
    await watch.close()
    assert gone.is_set()


async def test_all_end_when_the_process_stops() -> None:
    """At once, though others are answered for a while; no new stream begins, and nobody is cut off."""
    hurry = asyncio.Event()
    async with AsyncExitStack() as stack, asyncio.timeout(30):
        api = await stack.enter_async_context(served(drain_seconds=30, hurry=hurry))
        streams = [await stack.enter_async_context(listening(api, sub=f"u{n % 7}")) for n in range(50)]
        for stream in streams:
            await stream.until("statistics")
        api.draining.set()
        for stream in streams:
            assert await stream.next() == Event("end", None, {"reason": "stopping"})
            assert await stream.next() is None
        async with api.client.get(PATH, headers=as_caller()) as response:
            assert response.status == 200
        async with api.client.get(STREAM, headers=as_caller()) as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "1")
            assert (await response.json())["error_msg"] == "The process is stopping."
        hurry.set()


async def test_a_stop_is_not_delayed_by_streams() -> None:
    """Not even by one whose client takes nothing; the one that reads has its end."""
    async with asyncio.timeout(30), AsyncExitStack() as stack:
        store = LedStore(users=20_000)
        api = await stack.enter_async_context(served(store, pace=EAGER))
        silent = silent_client(api.port)
        reader, writer = await asyncio.open_connection(sock=silent_client(api.port, "other"), limit=1 << 24)
        await reader.readuntil(b"\n\n")
        store.write()
        await reader.readuntil(b"\n\n")
        ending = asyncio.create_task(stack.pop_all().aclose())
        assert (await reader.read()).endswith(b'event: end\ndata: {"reason":"stopping"}\n\n\r\n0\r\n\r\n')
        await ending
        writer.close()
        silent.close()


@pytest.mark.parametrize("how", ["closes", "resets", "ends its side"])
async def test_a_client_that_has_gone_is_noticed_at_once(how: str, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing comes to be sent, yet its seat is free, nobody looks any more, and the log has nothing to say."""
    caplog.set_level("INFO")
    store = LedStore()
    async with served(store, pace=EAGER, stream_limits=StreamLimits(per_caller=1)) as api:
        before = len(asyncio.all_tasks())
        for _ in range(3):
            client = silent_client(api.port)
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(30):
                while b"\n\n" not in await loop.sock_recv(client, 65_536):
                    pass
            if how == "resets":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if how == "ends its side":
                client.shutdown(socket.SHUT_WR)
                async with asyncio.timeout(30):
                    while await loop.sock_recv(client, 65_536):
                        pass
            client.close()
            await until(lambda: metric(api, "stats_http_streams 0.0"))
        await until(lambda: asyncio.sleep(0, len(asyncio.all_tasks()) <= before + 1))  # one is that of the metrics
    assert [record for record in caplog.records if record.levelname not in {"DEBUG", "INFO"}] == []


async def test_who_ends_its_side_at_once_gets_the_answer() -> None:
    """As after any other request; then the stream ends."""
    async with served() as api:
        token = as_caller()["X-Auth-Token"]
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(f"GET {STREAM} HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {token}\r\n\r\n".encode())
        writer.write_eof()
        async with asyncio.timeout(30):
            answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.count(b"event: ") == answer.count(b"event: statistics\n") == 1
        assert answer.endswith(b"\r\n0\r\n\r\n")


async def test_streams_are_limited() -> None:
    """For each caller (429), for the process (503), and by the questions about a project (429)."""
    limits = StreamLimits(per_caller=2, per_process=3, questions_per_project=2)
    async with served(stream_limits=limits) as api, AsyncExitStack() as stack:

        async def refused(query: str = "", **claims: Any) -> tuple[int, str, str]:
            async with api.client.get(STREAM + query, headers=as_caller(**claims)) as response:
                assert response.status != 200  # a stream would have no end
                return response.status, (await response.json())["error_code"], response.headers["Retry-After"]

        await stack.enter_async_context(listening(api))
        async with listening(api, "?start=1"):
            assert await refused() == (429, "DLI.1028", "5")
            assert await refused("?start=2", sub="other") == (429, "DLI.1028", "5")
            await stack.enter_async_context(listening(api, sub="other"))
            assert await refused(sub="third") == (503, "DLI.0012", "5")
        await until(lambda: metric(api, "stats_http_streams 2.0"))
        await stack.enter_async_context(listening(api, "?start=2"))
        for limit in ("caller", "process", "project"):
            assert await metric(api, f'stats_http_streams_refused_total{{limit="{limit}"}} 1.0')


async def test_a_stream_is_one_request_to_the_rate_limit() -> None:
    """However many events it has sent."""
    store = LedStore()
    async with served(store, per_second=1, pace=EAGER) as api, listening(api) as stream:
        for number in range(1, 6):
            store.write()
            await stream.running(number)
        async with api.client.get(PATH, headers=as_caller()) as response:
            assert response.status == 200
        async with api.client.get(STREAM, headers=as_caller()) as response:
            assert response.status == 429


def test_requests_have_half_of_the_connections() -> None:
    """Also where all come from one address."""
    assert StreamLimits.of(ConnectionLimits.of(10_000)).per_process == 1_250
    assert StreamLimits.of(ConnectionLimits(1, 1)).per_process == 1
