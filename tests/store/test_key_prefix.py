"""Several installations on one Redis, each with keys of its own: one without a prefix, "a", and "ab"."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass

import pytest
from redis.asyncio import Redis

from service.events.event import JobDeletion
from service.store.audit.findings import WrongMembers
from service.store.audit.repair_lists import mend_list
from service.store.audit.scope import survey
from service.store.audit.unfinished import mend_project
from service.store.errors import StoreDeniedError
from service.store.generations import BuildingWriter, Generations
from service.store.layout.keys import project_prefix, projects_key, stripe_of
from service.store.read.client import create_reader_client
from service.store.read.reader import RedisStatisticsStore
from service.store.redis.client import create_writer_client
from service.store.redis.views import Client
from service.store.retention import Sweeper
from service.store.write.rights import check_rights
from service.store.write.topic_name import claim_topic_name
from service.store.write.writer import Step, StripeBatch
from tests.redis_cluster import empty_cluster
from tests.store.support import Event, Store, acl, assert_equals_oracle, assert_no_drift, event, everything

PREFIXES = ["", "a", "ab"]
PROJECT = "project"
STRIPE = stripe_of(PROJECT)
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Place:
    """A Redis that installations share."""

    url: str
    is_cluster: bool

    @asynccontextmanager
    async def installation(self, prefix: str, login: str = "") -> AsyncIterator["Installation"]:
        """An installation with that prefix, which logs in so."""
        url = self.url.replace("://", f"://{login}")
        async with (
            aclosing(create_writer_client(url, self.is_cluster, key_prefix=prefix or None)) as writing,
            aclosing(create_reader_client(url, self.is_cluster, key_prefix=prefix or None)) as reading,
        ):
            yield Installation(prefix, writing, reading)


@pytest.fixture(params=["alone", "cluster"])
def place(request: pytest.FixtureRequest) -> Place:
    """An empty Redis that stands alone, and an empty cluster of one node."""
    if request.param == "alone":
        return Place(request.getfixturevalue("redis_flushed"), is_cluster=False)
    url = request.getfixturevalue("redis_cluster_url")
    empty_cluster(url)
    return Place(url, is_cluster=True)


@pytest.fixture
async def admin(place: Place) -> AsyncIterator[Redis]:
    """A client that sees all keys by their whole names, and may do anything."""
    async with Redis.from_url(place.url) as client:
        yield client


def owner_of(key: bytes) -> str:
    """The prefix of a key."""
    return key.partition(b"{")[0].decode()


class Installation:
    """A store with a prefix: the events in it, and the clients of its writers and of its readers."""

    def __init__(self, prefix: str, writing: Client, reading: Client) -> None:
        self.prefix, self.client = prefix, writing
        self.store = Store(writing)
        self.store.reader = RedisStatisticsStore(reading)
        self.events: list[Event] = [
            event(job, project_id=PROJECT, user_id=f"{prefix}user{job % 3}", start_time_ms=job * DAY_MS // 100)
            for job in range(300 + 100 * len(prefix))
        ]

    async def count(self) -> None:
        """Claims the topic's name, applies all events, and deletes a job."""
        await claim_topic_name(self.client, f"topic-{self.prefix}")
        await self.store.apply(self.events)
        self.events.append(JobDeletion(PROJECT, self.events[0].job_id))
        await self.store.apply(self.events[-1:])

    async def rebuild(self) -> None:
        """Builds the next generation, makes it live and deletes the former one."""
        generations = Generations(self.client)
        building = await generations.look()
        await generations.begin(building)
        at = [head.progress for head in building.live]
        [batch] = self.store.batches(self.events)
        for stripe in range(len(at)):
            steps = [Step(0, 0, each.next_offset, 0) for each in at[stripe]]
            projects = batch.projects if stripe == STRIPE else ()
            await BuildingWriter(self.client, building).apply(
                1, [StripeBatch(stripe, steps, projects, generation=building.generation)]
            )
        assert await generations.swap(building) == []
        assert await generations.delete_retired() > 0

    async def sweep(self) -> None:
        """Forgets the jobs of the first day, of which one was deleted."""
        [head] = [head for stripe, head in enumerate(await self.store.writer.read_heads()) if stripe == STRIPE]
        at = head.progress[0].next_offset
        batch = StripeBatch(STRIPE, [Step(0, at, at, 0)], generation=head.generation, horizon_ms=DAY_MS)
        await self.store.writer.apply(1, [batch])
        swept = await Sweeper(self.client).sweep(STRIPE, no_pause)
        assert swept is not None
        assert swept.records == 99
        self.events = [each for each in self.events if isinstance(each, JobDeletion) or each.start_time_ms >= DAY_MS]

    async def damage(self) -> None:
        """Takes a node, and the project from its list."""
        generation = (await self.store.writer.read_heads())[STRIPE].generation
        await self.client.delete(f"{project_prefix(PROJECT, generation)}n:42:0")
        await self.client.srem(projects_key(STRIPE, generation), PROJECT)

    async def repair(self) -> None:
        """Finds the damage by a look at all keys, and mends it."""
        scope = await survey(self.client, None)
        assert list(scope.projects) == [PROJECT]
        [drift] = scope.drifts
        assert isinstance(drift.cause, WrongMembers)
        await mend_list(self.client, drift.cause)
        assert (await mend_project(self.client, PROJECT)).found

    async def check(self) -> None:
        """Answers are those of its own events, and nothing is wrong."""
        assert (await survey(self.client, None)).drifts == []
        await assert_no_drift(self.client, self.events)
        await assert_equals_oracle(
            self.store, self.events, [(PROJECT, None, None, None), (PROJECT, DAY_MS + 1, 2 * DAY_MS, None)]
        )


async def no_pause() -> None:
    """Goes on at once."""


async def test_installations_side_by_side(place: Place, admin: Redis) -> None:
    """Each counts, rebuilds, sweeps, verifies and mends as if it were alone, and touches no key of another."""
    async with AsyncExitStack() as stack:
        each = [await stack.enter_async_context(place.installation(prefix)) for prefix in PREFIXES]
        before = await everything(admin)
        for doing in ("count", "rebuild", "check", "damage", "repair", "check", "sweep", "check"):
            for installation in each:
                await getattr(installation, doing)()
                after = await everything(admin)
                touched = {owner_of(key) for key, _ in before.items() ^ after.items()}
                assert touched == (set() if doing == "check" else {installation.prefix})
                before = after
        for installation in each:
            await installation.check()
    assert {owner_of(key) for key in before} == set(PREFIXES)


async def test_users_of_redis_reach_their_own_keys_alone(place: Place, admin: Redis) -> None:
    """With the documented pattern for keys, a user of one installation can neither read nor write those of another."""
    async with AsyncExitStack() as stack:
        for prefix in PREFIXES:
            user = f"user-{prefix}"
            await acl(admin, "SETUSER", user, "reset", "on", ">secret", f"~{prefix}{{s*", "+@all")
            stack.push_async_callback(acl, admin, "DELUSER", user)
        for prefix in PREFIXES:
            async with place.installation(prefix, f"user-{prefix}:secret@") as own:
                await check_rights(own.client)
                await own.count()
                await own.store.reader.ping()
                await own.check()
            for other in set(PREFIXES) - {prefix}:
                async with place.installation(other, f"user-{prefix}:secret@") as theirs:
                    for attempt in (check_rights(theirs.client), theirs.count(), theirs.store.reader.ping()):
                        with pytest.raises(StoreDeniedError):
                            await attempt
