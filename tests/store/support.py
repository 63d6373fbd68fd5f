"""What the tests of the store share: a store in hand, short events, and everything that Redis holds."""

import asyncio
import json
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from hashlib import blake2b

from redis.asyncio import Redis, RedisCluster

from service.events.event import JobDeletion, JobEvent, JobStatus
from service.store.audit.audit import audit_project
from service.store.contract import Answer, StatisticsStore
from service.store.layout.heads import as_of_ms
from service.store.layout.keys import claims_key, head_key, project_prefix
from service.store.layout.tree import Node
from service.store.read.reader import RedisStatisticsStore
from service.store.write.batch import fold
from service.store.write.writer import Step, StoreWriter, StripeBatch
from tests.oracle import Oracle

Client = Redis | RedisCluster
Event = JobEvent | JobDeletion
Query = tuple[str, int | None, int | None, str | None]

NOON_MS = 1_532_605_670_471
# two ids with one 48-bit digest, found among 26 million
COLLIDING_USERS = ("user-4605238", "user-25046762")


def job_uuid(number: int) -> str:
    """The UUID of a numbered job: as evenly spread as random ones, the same each time."""
    return str(uuid.UUID(bytes=blake2b(number.to_bytes(8, "little"), digest_size=16).digest()))


def event(job: int | str = 0, **changes: object) -> JobEvent:
    """A valid event of a job (a number becomes a UUID), with some fields changed."""
    fields: dict[str, object] = {
        "project_id": "project",
        "job_id": job_uuid(job) if isinstance(job, int) else job,
        "user_id": "user",
        "user_name": "name",
        "status": JobStatus.RUNNING,
        "event_time_ms": 1_000,
        "start_time_ms": NOON_MS,
        "input_size_bytes": 7,
    }
    return JobEvent(**{**fields, **changes})  # type: ignore[arg-type]


class Store:
    """A writer that knows where its stripes are, and a reader."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.writer = StoreWriter(client)
        self.reader = RedisStatisticsStore(client)
        self._next_offsets: defaultdict[int, int] = defaultdict(int)

    def batches(self, events: Sequence[Event], watermark_ms: int = 0) -> list[StripeBatch]:
        """The batches of all stripes that these events touch, from where the stripes are."""
        return [
            StripeBatch(stripe, [self._step(stripe, len(events), watermark_ms)], projects)
            for stripe, projects in fold(events).items()
        ]

    def _step(self, stripe: int, events: int, watermark_ms: int) -> Step:
        at = self._next_offsets[stripe]
        return Step(0, at, at + events, watermark_ms)

    async def apply(self, events: Sequence[Event], watermark_ms: int = 0) -> int:
        """Applies events as one batch; returns how many records changed."""
        batches = self.batches(events, watermark_ms)
        changed = (await self.writer.apply(1, batches)).changed
        for batch in batches:
            self._next_offsets[batch.stripe] = batch.steps[0].next_offset
        return changed

    async def body(
        self, project_id: str, start_ms: int | None = None, end_ms: int | None = None, user_id: str | None = None
    ) -> dict[str, object]:
        """The body of the API's answer, read with all that is remembered from earlier reads."""
        answer = await self.reader.read(project_id, start_ms, end_ms, user_id)
        body: dict[str, object] = json.loads(answer.body)
        return body


async def ask(store: StatisticsStore, query: Query) -> Answer:
    """An answer, as the API's shortcut asks for it."""
    told: asyncio.Future[Answer | Exception | None] = asyncio.get_running_loop().create_future()
    reading = store.ask(*query, told.set_result)
    found = await told if reading is None else await reading
    if isinstance(found, Exception):
        raise found
    return found or await store.read(*query)


async def assert_equals_oracle(store: Store, events: Iterable[Event], queries: Iterable[Query]) -> None:
    """Every query is answered as a recount of the events answers it."""
    oracle = Oracle(events)
    for query in queries:
        assert (query, await store.body(*query)) == (query, oracle.answer(*query))


async def assert_no_drift(client: Client, events: Iterable[Event]) -> None:
    """The audit finds nothing in any project of these events."""
    for project_id in {each.project_id for each in events}:
        assert await audit_project(client, project_id) == []


async def acl(admin: Redis, *words: str) -> None:
    """Runs an ACL command."""
    await admin.execute_command("ACL", *words)  # type: ignore[no-untyped-call]


@asynccontextmanager
async def limited(redis_url: str, *rules: str) -> AsyncIterator[Redis]:
    """A client whose user may do what these rules say."""
    async with Redis.from_url(redis_url) as admin:
        await acl(admin, "SETUSER", "part", "reset", "on", ">part", *rules)
        try:
            async with Redis.from_url(redis_url, username="part", password="part") as client:
                yield client
        finally:
            await acl(admin, "DELUSER", "part")


async def stripe_as_of_ms(client: Client, stripe: int) -> int:
    """The as-of of a stripe, by its head and what is claimed of it."""
    head, claims = await client.mget([head_key(stripe), claims_key(stripe)])
    return as_of_ms(head, claims)


async def stored(client: Client, key: str) -> bytes:
    """The string under a key that must be there."""
    value = await client.get(key)
    assert isinstance(value, bytes)
    return value


async def stored_hash(client: Client, key: str) -> dict[bytes, bytes]:
    """The fields of a hash."""
    fields = await client.hgetall(key)
    return {bytes(field): bytes(value) for field, value in fields.items()}  # type: ignore[arg-type]


async def stored_nodes(client: Client, project_id: str) -> dict[Node, bytes]:
    """The nodes of a project's tree."""
    keys = [bytes(key) async for key in client.scan_iter(f"{project_prefix(project_id)}n:*", count=1_000)]
    nodes = [tuple(map(int, key.split(b":")[-2:])) for key in keys]
    return {(level, index): await stored(client, key.decode()) for (level, index), key in zip(nodes, keys, strict=True)}


async def everything(client: Client) -> dict[bytes, object]:
    """Each key with its serialized value."""
    return {key: await client.dump(key) async for key in client.scan_iter(count=1_000)}
