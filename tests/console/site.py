"""The service as the console meets it: a Redis, what a consumer would have written into it, and the API."""

import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import jwt

from deploy.local.process import Child
from deploy.local.servers import free_port, start_redis
from service.store.layout.gaps import Gap
from service.store.layout.keys import STRIPES
from service.store.redis.client import create_writer_client
from service.store.write.batch import fold
from service.store.write.writer import Step, StoreWriter, StripeBatch
from tests.end_to_end.asking import SECRET
from tests.oracle import Events, Oracle
from tests.servers import Processes, redis_program


def present_ms() -> int:
    """The present, Unix ms."""
    return time.time_ns() // 1_000_000


class Site:
    """A Redis that a writer fills as consumers do, and the API over it."""

    def __init__(self, redis: Child, redis_url: str, processes: Processes) -> None:
        self.redis = redis
        self._redis_url = redis_url
        self._processes = processes
        self._client = create_writer_client(redis_url, cluster=False)
        self._writer = StoreWriter(self._client)
        self._next_offset = 0
        self.origin = ""

    async def start_service(self, **changes: str) -> str:
        """Starts an API, and returns its origin; `changes` are other settings."""
        port = free_port()
        environment = {
            "STATS_REDIS_URL": self._redis_url,
            "STATS_HTTP_PORT": str(port),
            "STATS_JWT_SECRET": SECRET,
            "STATS_RATE_LIMIT": "0",
            **changes,
        }
        await self._processes.start_ready("service", environment, port)
        return f"http://127.0.0.1:{port}"

    async def apply(
        self, events: Events = (), *, as_of_ms: int | None = None, horizon_ms: int = 0, gaps: Sequence[Gap] = ()
    ) -> None:
        """Applies events as a consumer does; from then on the store is as of now, or of `as_of_ms`."""
        projects = fold(events)
        at, self._next_offset = self._next_offset, self._next_offset + 1
        step = Step(0, at, at + 1, present_ms() if as_of_ms is None else as_of_ms)
        batches = [
            StripeBatch(stripe, [step], projects.get(stripe, ()), horizon_ms=horizon_ms, gaps=gaps)
            for stripe in range(STRIPES)
        ]
        assert (await self._writer.apply(1, batches)).refused == {}

    async def close(self) -> None:
        """Ends the writer; whoever started the servers stops them."""
        await self._client.aclose()


@asynccontextmanager
async def started_site(folder: Path, **settings: str) -> AsyncIterator[Site]:
    """A site with an empty Redis of its own; `settings` are the API's."""
    port = free_port()
    redis = start_redis(redis_program(), port, folder / "redis", folder / "redis.log")
    processes = Processes(folder)
    site = Site(redis, f"redis://127.0.0.1:{port}/0", processes)
    try:
        await site.apply()
        site.origin = await site.start_service(**settings)
        yield site
    finally:
        await site.close()
        processes.stop_all()
        redis.stop()


@dataclass
class Project:
    """A project of one test, with everything that happened in it."""

    site: Site
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    events: list[object] = field(default_factory=list)

    async def apply(self, events: Events) -> None:
        """Lets the events happen; they must be of this project."""
        known = list(events)
        self.events += known
        await self.site.apply(known)

    @property
    def oracle(self) -> Oracle:
        """A recount of what has happened."""
        return Oracle(self.events)  # type: ignore[arg-type]

    def administrator(self, **claims: object) -> str:
        """A token of a tenant administrator; it holds for an hour."""
        return token_for(self.id, **claims)

    def sub_user(self, user_id: str, name: str, **claims: object) -> str:
        """A token of one who sees itself alone."""
        return token_for(self.id, sub=user_id, name=name, roles=["te_user"], **claims)


def token_for(project_id: str, **claims: object) -> str:
    """A token of a tenant administrator that holds for an hour; other claims change that."""
    usual = {"sub": "the-administrator", "name": "administrator", "project_id": project_id, "roles": ["te_admin"]}
    return jwt.encode({**usual, "exp": present_ms() // 1000 + 3600, **claims}, SECRET, "HS256")
