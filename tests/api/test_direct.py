"""Plain questions are answered past the handlers: which are, and what becomes of the others."""

import asyncio
import logging
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from service.auth.jwt import JwtAuthenticator, SecretKey
from service.auth.jwt_claims import ClaimsPolicy
from service.auth.metrics import IdentityMetrics
from service.http.aiohttp_private import ConnectionPolicy
from service.http.representations import COMPRESSED_FROM_BYTES
from service.store.contract import Answer
from service.store.errors import StoreUnavailableError
from tests.api.support import ADMIN_ROLES, PATH, SECRET, Api, Clock, FakeStore, as_caller, served, token

TOKEN = token()
QUESTION = f"GET {PATH} HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {TOKEN}\r\n"
ASK = f"{QUESTION}\r\n".encode()


@dataclass
class AgainStore(FakeStore):
    """A store that remembers every answer; a test may hold back what it has to tell, and say what that is."""

    again: int = 0  # answers given again
    holds: bool = True
    is_held: bool = False
    padding: int = 0  # bytes more that each of them has
    told: list[Callable[[], None]] = field(default_factory=list)
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)

    def ask(
        self,
        project_id: str,
        start_ms: int | None,
        end_ms: int | None,
        user_id: str | None,
        tell: Callable[[Answer | Exception | None], None],
    ) -> Coroutine[Any, Any, Answer] | None:
        """Tells of the answer in the next turn of the loop, or when a test says so."""
        body = b'{"again":true}' + b" " * self.padding

        def say() -> None:
            self.again += self.holds
            answer = Answer(body, "digest", self.as_of_ms, self.horizon_ms, self.gaps, "looked")
            tell(self.error or (answer if self.holds else None))

        if self.is_held:
            self.told.append(say)
        else:
            asyncio.get_running_loop().call_soon(say)
        self.was_asked.set()
        return None


@pytest.fixture
async def store() -> AgainStore:
    """A store that remembers every answer."""
    return AgainStore()


@pytest.fixture
async def api(store: AgainStore) -> AsyncIterator[Api]:
    """The API over it, which knows the token."""
    async with served(store) as api:
        await make_known(api)
        yield api


async def make_known(api: Api) -> None:
    """Has the token checked, which is for the usual way."""
    async with api.client.get(PATH, headers={"X-Auth-Token": TOKEN}) as response:
        assert response.status == 200
    assert isinstance(api.store, AgainStore)
    assert api.store.again == 0
    api.store.asked.clear()
    api.store.was_asked.clear()


class Client:
    """A connection, on which bytes are sent as a test says."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def answer(self) -> tuple[int, bytes]:
        """The next answer: its status and body."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        return int(head.split()[1]), await self.reader.readexactly(length)


AGAIN = (200, b'{"again":true}')


Connect = Callable[[Api], Awaitable[Client]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Connects to an API; the connections are closed in the end."""
    clients: list[Client] = []

    async def connect(api: Api) -> Client:
        clients.append(Client(*await asyncio.open_connection("127.0.0.1", api.port)))
        return clients[-1]

    yield connect
    for client in clients:
        client.writer.close()


@pytest.fixture
async def client(api: Api, connect: Connect) -> Client:
    """A connection to the API."""
    return await connect(api)


async def held(store: AgainStore, client: Client, data: bytes = ASK) -> Callable[[], None]:
    """Asks; returns what lets the store tell of the answer."""
    store.is_held = True
    store.was_asked.clear()
    client.writer.write(data)
    await store.was_asked.wait()
    store.is_held = False
    return store.told.pop()


async def test_a_repeated_question_is_answered_again(store: AgainStore, client: Client) -> None:
    """As often as it is asked on a connection; nothing is read."""
    for _ in range(3):
        client.writer.write(ASK)
        assert await client.answer() == AGAIN
    assert (store.again, store.asked) == (3, [])


OTHERS = {
    "HEAD": "HEAD {path} HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {token}\r\n\r\n",
    "HTTP/1.0": "GET {path} HTTP/1.0\r\nHost: a\r\nX-Auth-Token: {token}\r\n\r\n",
    "the last": "GET {path} HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {token}\r\nConnection: close\r\n\r\n",
    "expecting": "GET {path} HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {token}\r\nExpect: 100-continue\r\n\r\n",
    "upgrading": "GET {path} HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {token}\r\nConnection: upgrade\r\nUpgrade: h\r\n\r\n",
    "a body": "GET {path} HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {token}\r\nContent-Length: 1\r\n\r\nx",
    "CSV": "GET {path} HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {token}\r\nAccept: text/csv\r\n\r\n",
    "no token": "GET {path} HTTP/1.1\r\nHost: a\r\n\r\n",
    "another token": "GET {path} HTTP/1.1\r\nHost: a\r\nX-Auth-Token: x\r\n\r\n",
    "two tokens": "GET {path} HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {token}\r\nX-Auth-Token: {token}\r\n\r\n",
    "no host": "GET {path} HTTP/1.1\r\nHost: a b\r\nX-Auth-Token: {token}\r\n\r\n",
    "reversed": "GET {path}?start=2&end=1 HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {token}\r\n\r\n",
    "another parameter": "GET {path}?from=2 HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {token}\r\n\r\n",
    "another resource": "GET {path}/timeseries HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {token}\r\n\r\n",
    "escaped": "GET {path}?st%61rt=2 HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {token}\r\n\r\n",
}


@pytest.mark.parametrize("name", OTHERS)
async def test_other_requests_go_the_usual_way(store: AgainStore, client: Client, name: str) -> None:
    """What is not the usual question, or not by a caller that is known, is for the handlers."""
    client.writer.write(OTHERS[name].format(path=PATH, token=TOKEN).encode())
    await client.reader.readuntil(b"\r\n\r\n")
    assert store.again == 0


async def test_a_token_that_ends_meanwhile_is_refused() -> None:
    """Its times are looked at each time, however well it is known."""
    clock = Clock()
    authenticator = JwtAuthenticator(SecretKey(SECRET), ClaimsPolicy(ADMIN_ROLES), clock)
    headers = as_caller(exp=int(clock.now_seconds) + 10)
    async with served(AgainStore(), authenticator) as api:
        for now_seconds, status in ((1000.0, 200), (1009.0, 200), (1010.0, 401)):
            clock.now_seconds = now_seconds
            async with api.client.get(PATH, headers=headers) as response:
                assert response.status == status


async def test_an_answer_that_holds_no_more_is_read_anew(store: AgainStore, client: Client) -> None:
    """Before those that came behind it are answered."""
    store.holds = False
    client.writer.write(ASK + b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" + ASK)
    first, second, third = [await client.answer() for _ in range(3)]
    assert first == third
    assert b"user_name" in first[1]
    assert second[1] == b'{"status":"ok"}'
    assert (len(store.asked), store.again) == (2, 0)


async def test_errors_are_those_of_the_usual_way(store: AgainStore, client: Client) -> None:
    """A store that fails to look is not asked again. Then all go the usual way, until an outage's end has been told."""
    store.error = StoreUnavailableError("gone")
    for _ in range(2):
        client.writer.write(ASK)
    first, second = [await client.answer() for _ in range(2)]
    assert first == second
    assert (first[0], len(store.asked)) == (503, 1)
    store.again, store.error = 0, None
    client.writer.write(ASK)
    assert (await client.answer())[0] == 200
    assert store.again == 0


async def test_answers_come_in_the_order_of_requests(store: AgainStore, client: Client) -> None:
    """What comes while an answer is awaited waits for it, whatever way it goes, and a bad request too."""
    tell = await held(store, client)
    client.writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" + ASK + b"bad\r\n\r\n")
    await asyncio.sleep(0.05)
    tell()
    assert [await client.answer() for _ in range(2)] == [AGAIN, (200, b'{"status":"ok"}')]
    assert [(await client.answer())[0] for _ in range(2)] == [200, 400]
    assert await client.reader.read() == b""


async def test_who_ends_its_side_gets_its_answer(store: AgainStore, api: Api, client: Client, connect: Connect) -> None:
    """The connection ends with the answer, which says so; or with that of the usual way."""
    for holds in (True, False):
        store.holds = holds
        tell = await held(store, client)
        client.writer.write_eof()
        await asyncio.sleep(0.05)
        tell()
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert b"Connection: close" in head
        assert await client.reader.read()
        client = await connect(api)


async def test_nobody_is_told_who_has_gone(store: AgainStore, api: Api, client: Client, connect: Connect) -> None:
    """An answer whose client has gone is dropped; the caller's other questions go on."""
    tells = [await held(store, await connect(api)) for _ in range(2)]
    tell = await held(store, client)
    client.writer.transport.abort()
    await asyncio.sleep(0.05)
    for each in (tell, *tells):
        each()
    other = await connect(api)
    other.writer.write(ASK)
    assert await other.answer() == AGAIN


async def test_a_server_that_stops_answers_first(store: AgainStore, connect: Connect) -> None:
    """What is awaited is under way: the server waits for it, and the answer ends its connection."""
    async with served(store) as api:
        await make_known(api)
        client, idle = await connect(api), await connect(api)
        tell = await held(store, client)
        asyncio.get_running_loop().call_later(0.5, tell)
    head = await client.reader.readuntil(b"\r\n\r\n")
    assert b"Connection: close" in head
    assert await client.reader.read() == AGAIN[1]
    assert await idle.reader.read() == b""


async def test_a_caller_has_its_turns(store: AgainStore, api: Api, connect: Connect) -> None:
    """Questions above a caller's number in work wait in its line, as they do with the handlers."""
    clients = [await connect(api) for _ in range(17)]
    tells = [await held(store, client) for client in clients[:16]]
    clients[16].writer.write(ASK)
    await asyncio.sleep(0.05)
    assert (store.told, store.asked) == ([], [])
    tells.pop()()
    assert (await clients[16].answer())[0] == 200
    assert len(store.asked) == 1
    for tell in tells:
        tell()


@pytest.mark.parametrize("is_read", [False, True])
async def test_an_outage_ends_the_wait_in_line(store: AgainStore, api: Api, connect: Connect, is_read: bool) -> None:
    """Whoever waits behind a question that finds the store away is answered with it, and does not ask as well."""
    clients = [await connect(api) for _ in range(17)]
    tells = [await held(store, client) for client in clients[:16]]
    clients[16].writer.write(ASK)
    await asyncio.sleep(0.05)
    if is_read:
        store.holds = False
        store.gate.clear()
        tells.pop()()
        await asyncio.wait_for(store.entered.wait(), 5)
    store.error = StoreUnavailableError("gone")
    if is_read:
        store.gate.set()
    else:
        tells.pop()()
    assert (await clients[16].answer())[0] == 503
    assert len(store.asked) == is_read
    for tell in tells:
        tell()


@pytest.mark.parametrize(("paddings", "most"), [((40_000,), 2), ((40_000, 0), 16), ((), 2)])
async def test_large_answers_leave_fewer_turns(
    store: AgainStore, api: Api, connect: Connect, paddings: tuple[int, ...], most: int
) -> None:
    """The size of a caller's last answer says how many of its questions are in work at most."""
    client = await connect(api)
    if not paddings:  # it is read, and large
        store.holds, store.users = False, 1_000
        client.writer.write(ASK)
        assert len((await client.answer())[1]) > 32_768
    for store.padding in paddings:
        client.writer.write(ASK)
        assert (await client.answer())[0] == 200
    store.asked.clear()
    clients = [await connect(api) for _ in range(most + 1)]
    tells = [await held(store, each) for each in clients[:most]]
    store.is_held = True
    clients[most].writer.write(ASK)
    await asyncio.sleep(0.05)
    assert (store.told, store.asked) == ([], [])
    for tell in tells:
        tell()
    assert (await clients[most].answer())[0] == 200


async def test_known_tokens_are_counted(connect: Connect) -> None:
    """As on the usual way: each question once."""
    registry, store = CollectorRegistry(), AgainStore()
    claims, metrics = ClaimsPolicy(ADMIN_ROLES), IdentityMetrics(registry)
    async with served(store, JwtAuthenticator(SecretKey(SECRET), claims, metrics=metrics)) as api:
        await make_known(api)
        client = await connect(api)
        for store.holds in (True, False):
            client.writer.write(ASK)
            await client.answer()
    assert store.again == 1
    assert registry.get_sample_value("stats_identity_cached_total") == 2


async def test_too_many_requests_are_refused(connect: Connect) -> None:
    """Those that are answered again count as all others, and what cannot be answered counts once."""
    store = AgainStore()
    async with served(store, per_second=2) as api:
        await make_known(api)
        client, statuses = await connect(api), []
        for store.holds in (True, False, True, True):
            client.writer.write(ASK)
            statuses.append((await client.answer())[0])
        assert (store.again, len(store.asked)) == (2, 1)  # the store is not asked for what is refused
    assert statuses == [200, 200, 200, 429]


async def test_it_counts_as_any_other(store: AgainStore, api: Api, client: Client) -> None:
    """By route and status, and in the time of requests."""
    for _ in range(2):
        client.writer.write(ASK)
        await client.answer()
    assert store.again == 2
    async with api.client.get("/metrics") as response:
        text = await response.text()
    route = 'route="/v2.0/{project_id}/gene/statistics"'  # the first request made the token known
    assert f'stats_http_requests_total{{method="GET",{route},status="200"}} 3.0' in text
    assert f"stats_http_request_duration_seconds_count{{{route}}} 3.0" in text


async def test_a_large_answer_is_compressed(store: AgainStore, client: Client) -> None:
    """For a client that takes it so, as on the usual way."""
    store.padding = COMPRESSED_FROM_BYTES
    client.writer.write(ASK)
    assert await client.answer() == (200, AGAIN[1] + b" " * store.padding)
    client.writer.write(f"{QUESTION}Accept-Encoding: gzip\r\n\r\n".encode())
    status, body = await client.answer()
    assert (status, zlib.decompress(body, wbits=31)) == (200, AGAIN[1] + b" " * store.padding)
    assert store.again == 2


async def test_a_fault_is_answered(store: AgainStore, client: Client) -> None:
    """What nobody has thought of is a 500, as it is where a handler meets it."""
    store.error = RuntimeError("a fault")
    client.writer.write(ASK)
    assert (await client.answer())[0] == 500
    store.error, store.gaps = None, "x"  # type: ignore[assignment]
    store.horizon_ms = None  # type: ignore[assignment]
    client.writer.write(ASK)
    assert (await client.answer())[0] == 500


@pytest.mark.parametrize("takes", [True, False])
async def test_a_large_answer_is_taken_in_time_or_ends(connect: Connect, takes: bool) -> None:
    """What does not fit into buffers is waited for, and what comes behind it as well; who takes nothing is cut off."""
    policy = ConnectionPolicy(send_seconds=30 if takes else 0.2)
    async with served(FakeStore(users=100_000), connection_policy=policy) as api:
        async with api.client.get(PATH, headers={"X-Auth-Token": TOKEN}) as response:
            body = await response.read()
        client = await connect(api)
        client.writer.write(ASK + b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        if takes:
            assert await client.answer() == (200, body)
            assert await client.answer() == (200, b'{"status":"ok"}')
            return
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(1)
        client.reader._transport.resume_reading()  # type: ignore[attr-defined]
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.answer()


async def test_the_log_at_debug_has_every_request(
    store: AgainStore, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Then all go the usual way, which says so."""
    caplog.set_level(logging.DEBUG)
    client.writer.write(ASK)
    await client.answer()
    assert "answered" in [record.message for record in caplog.records]
    assert store.again == 0
