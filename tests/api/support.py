"""What the API's tests share: a store in memory, a clock moved by hand, tokens, and the served API."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import jwt
from multidict import CIMultiDict
from prometheus_client import CollectorRegistry

from service.api.app import create_app
from service.api.live.limits import StreamLimits
from service.api.live.pace import Pace
from service.api.rate_limit import RateLimit, RateLimiter
from service.auth.caller import Authenticator, IdentityUnavailableError
from service.auth.jwt import JwtAuthenticator, SecretKey
from service.auth.jwt_claims import ClaimsPolicy
from service.events.event import JobStatus
from service.http.aiohttp_private import ConnectionPolicy
from service.http.connections import ConnectionLimits
from service.http.policy import DEFAULT_POLICY, HttpPolicy
from service.http.server import STOPPING, serving
from service.runtime.digests import digest_of
from service.statistics import ProjectStatistics, UserStatistics
from service.store.contract import Answer, Freshness, Series, Standing, StoreTotals
from service.store.errors import LayoutError, StoreUnavailableError

SECRET = "a secret of tests that is long enough"
ADMIN_ROLES = frozenset({"admin", "te_admin"})
PROJECT = "e9993fc787d94b6c886cbaa340f9c0f4"
PATH = f"/v2.0/{PROJECT}/gene/statistics"
BIG_SIZE_BYTES = 2**63 - 1
AS_OF_MS = 1_532_605_671_002

TOTALS: dict[str, int] = {
    "total_user_num": 1,
    "total_launching_num": 0,
    "total_running_num": 0,
    "total_failed_num": 20,
    "total_finished_num": 10,
    "total_canceling_num": 0,
    "total_cancelled_num": 1,
    "total_input_size": BIG_SIZE_BYTES,
}
USER: dict[str, Any] = {
    "user_name": "测试",
    "launching_num": 0,
    "running_num": 0,
    "failed_num": 20,
    "finished_num": 10,
    "canceling_num": 0,
    "cancelled_num": 1,
    "input_size": BIG_SIZE_BYTES,
}


@dataclass
class Clock:
    """A clock that only a test moves."""

    now_seconds: float = 1000.0

    def __call__(self) -> float:
        return self.now_seconds


@dataclass
class FakeStore:
    """A StatisticsStore with one answer, that remembers what it was asked and fails when told to."""

    error: Exception | None = None
    freshness_error: Exception | None = None  # of one shard of many: others answer
    users: int = 1
    as_of_ms: int = AS_OF_MS
    horizon_ms: int = 0
    gaps: int = 0
    store_totals: StoreTotals | None = None
    written: int = 0  # how often something was written
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[tuple[str, int | None, int | None, str | None]] = field(default_factory=list)
    asked_series: list[tuple[str, list[int], str | None, str | None]] = field(default_factory=list)
    looked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate.set()

    async def read(self, project_id: str, start_ms: int | None, end_ms: int | None, user_id: str | None) -> Answer:
        """The same statistics for every question; `users` is None for a single user."""
        self.asked.append((project_id, start_ms, end_ms, user_id))
        await self.ping()
        users = [UserStatistics(**USER)] * self.users if user_id is None else None
        totals = {**TOTALS, "total_running_num": self.written}
        body = ProjectStatistics(users=users, **totals).model_dump_json(exclude_none=True).encode()
        return Answer(body, digest_of(body), self.as_of_ms, self.horizon_ms, self.gaps, stamp=self.written)

    def ask(
        self,
        project_id: str,
        start_ms: int | None,
        end_ms: int | None,
        user_id: str | None,
        tell: Callable[[Answer | Exception | None], None],
    ) -> Coroutine[Any, Any, Answer] | None:
        """As `read`; it tells of the answer to a question that it was asked before."""
        if (project_id, start_ms, end_ms, user_id) not in self.asked:
            return self.read(project_id, start_ms, end_ms, user_id)

        async def look() -> None:
            try:
                tell(await self.read(project_id, start_ms, end_ms, user_id))
            except (StoreUnavailableError, LayoutError) as error:
                tell(error)

        self.looking = asyncio.create_task(look())
        return None

    async def standing(self, project_id: str) -> Standing:
        """As the answer stands."""
        self.looked.append(project_id)
        await self.ping()
        return Standing(self.written, self.as_of_ms)

    async def series(
        self, project_id: str, borders_ms: Sequence[int], user_id: str | None, user_name: str | None
    ) -> Series:
        """In each interval as many jobs of a status as the rank of that says, each of the greatest size there is."""
        self.asked_series.append((project_id, list(borders_ms), user_id, user_name))
        await self.ping()
        count = len(borders_ms) - 1
        jobs = {status: [status.value] * count for status in JobStatus}
        return Series(jobs, [BIG_SIZE_BYTES] * count, self.as_of_ms, self.horizon_ms, self.gaps)

    async def freshness(self) -> Freshness:
        """As fresh as the answer, unless it was told otherwise."""
        await self.ping()
        if self.freshness_error is not None:
            raise self.freshness_error
        return Freshness(self.as_of_ms, self.as_of_ms)

    async def totals(self) -> StoreTotals | None:
        """What it was told."""
        await self.ping()
        return self.store_totals

    async def ping(self) -> None:
        """Raises the error it was told to; waits while the gate is closed."""
        self.entered.set()
        await self.gate.wait()
        if self.error is not None:
            raise self.error


class AwayAuthenticator:
    """An Authenticator whose identity service cannot be reached."""

    async def authenticate(self, token: str) -> Any:
        """Never knows."""
        raise IdentityUnavailableError("connection refused")

    def known(self, token: str) -> None:
        """Knows no token."""

    def note_known(self) -> None:
        """Is never called."""

    def knows(self, token: str) -> bool:
        """Knows no token."""
        return False

    async def ping(self) -> None:
        """Never answers."""
        raise IdentityUnavailableError("connection refused")


@dataclass(frozen=True)
class Api:
    """A served API, a client of it, the layouts it gave up on, and an event for when it drains."""

    client: aiohttp.ClientSession
    port: int
    store: FakeStore
    clock: Clock
    draining: asyncio.Event
    misfits: list[LayoutError]


def token(key: Any = SECRET, algorithm: str | None = "HS256", headers: Any = None, **claims: Any) -> str:
    """A signed token of an administrator for an hour; a claim of None is left out."""
    every = {
        "sub": "user-1",
        "name": "test",
        "project_id": PROJECT,
        "roles": ["te_admin"],
        "exp": int(time.time()) + 3600,
    }
    wanted = {name: value for name, value in {**every, **claims}.items() if value is not None}
    return jwt.encode(wanted, key, algorithm=algorithm, headers=headers)


def as_caller(**claims: Any) -> dict[str, str]:
    """The headers of a request with such a token."""
    return {"X-Auth-Token": token(**claims)}


@asynccontextmanager
async def served(
    store: FakeStore | None = None,
    authenticator: Authenticator | None = None,
    per_second: int = 0,
    probe_seconds: float = 2.0,
    *,
    policy: HttpPolicy = DEFAULT_POLICY,
    connection_policy: ConnectionPolicy | None = None,
    limits: ConnectionLimits | None = None,
    drain_seconds: float = 0,
    hurry: asyncio.Event | None = None,
    now_seconds: Callable[[], float] = time.time,
    pace: Pace | None = None,
    stream_limits: StreamLimits | None = None,
) -> AsyncIterator[Api]:
    """The API on a free port of this machine, with a client."""
    store = store or FakeStore()
    clock = Clock()
    authenticator = authenticator or JwtAuthenticator(SecretKey(SECRET), ClaimsPolicy(ADMIN_ROLES))
    misfits: list[LayoutError] = []
    limiter = RateLimiter(RateLimit(per_second), clock)
    registry = CollectorRegistry()
    app = create_app(
        store,
        authenticator,
        limiter,
        registry,
        misfits.append,
        policy=policy,
        probe_seconds=probe_seconds,
        now_seconds=now_seconds,
        stream_limits=stream_limits,
        pace=pace,
    )
    async with (
        serving(
            app, "127.0.0.1", 0, policy=connection_policy, limits=limits, drain_seconds=drain_seconds, hurry=hurry
        ) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
    ):
        yield Api(client, port, store, clock, app[STOPPING], misfits)


async def exchange(port: int, data: bytes) -> bytes:
    """Everything the server sends for these bytes until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        return await reader.read()
    finally:
        writer.close()


@dataclass(frozen=True)
class Answered:
    """An answer as it came."""

    status: int
    headers: CIMultiDict[str]
    body: bytes


async def ask(port: int, *lines: str, method: str = "GET", path: str = PATH) -> Answered:
    """Sends a request with these header lines on a connection of its own; nothing of the answer is decoded."""
    head = [f"{method} {path} HTTP/1.1", "Host: a", "Connection: close", *lines]
    return parsed(await exchange(port, "\r\n".join([*head, "", ""]).encode()))


def parsed(answer: bytes) -> Answered:
    """The one answer that these bytes are."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    fields = [line.partition(": ")[::2] for line in rest]
    return Answered(int(first.split()[1]), CIMultiDict(fields), body)
