"""A consumer on three primaries whose slots are moved and whose primaries fail while events flow: nothing is lost."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

import pytest
from aiokafka import AIOKafkaProducer
from redis.crc import key_slot

from deploy.local.waiting import eventually
from service.store.contract import StatisticsStore
from service.store.errors import StoreUnavailableError
from service.store.layout.keys import STRIPES, head_key, stripe_of
from service.store.read.client import create_reader_store
from tests.consumers.conftest import MakeSettings
from tests.consumers.support import RunningConsumer, producing, running_consumer, send
from tests.oracle import Oracle
from tests.redis_cluster import ClusterNode, ThreePrimaries, empty_cluster
from tests.store.support import NOON_MS, Event, assert_no_drift, event
from tests.store.test_resharding import is_replica_of

PROJECTS = [f"project-{number}" for number in range(8)]
WAVE_SECONDS = 0.2


@dataclass
class Load:
    """Publishes waves of events, and reads all projects, until it is done.

    A wave comes with each round of reading: a round takes the longer the more was published, so that a slow machine has
    no more to do. While a shard is away, whose reads wait, waves come several times a second.
    """

    producer: AIOKafkaProducer
    topic: str
    store: StatisticsStore
    published: list[Event] = field(default_factory=list)
    waves: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Publishes and reads. Raises AssertionError for an answer that cannot be right."""
        while not self.done.is_set():
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(self._read())
                while not reading.done():
                    await self._publish()
                    await asyncio.wait([reading], timeout=WAVE_SECONDS)

    async def _publish(self) -> None:
        """Each wave has new jobs, one of them in a new project, and a correction."""
        n = self.waves
        wave: list[Event] = [
            *[event(f"{n}-{job}", project_id=each, start_time_ms=NOON_MS + n) for each in PROJECTS for job in "ab"],
            event("moves", project_id=PROJECTS[0], sequence=n, start_time_ms=NOON_MS - n, user_id=f"user{n % 7}"),
            event(f"{n}", project_id=new_project(n)),
        ]
        self.published += wave
        await send(self.producer, self.topic, wave)
        self.waves += 1

    async def _read(self) -> None:
        """Each answer is that of the project's first events, up to any of them."""
        for project in PROJECTS[1:]:
            try:
                answer = await self.store.read(project, None, None, None)
            except StoreUnavailableError:
                await asyncio.sleep(0.001)
                continue
            body = json.loads(answer.body)
            events = [each for each in self.published if each.project_id == project]
            jobs = body["total_running_num"]
            assert body == Oracle(events[:jobs]).answer(project)
            self.answers[project] = jobs

    async def wait_more(self, project: str) -> None:
        """Waits until events of a project are answered that were published after this call."""
        events = sum(each.project_id == project for each in self.published)
        await eventually(lambda: self.answers[project] > events, f"{project} goes on", 60)


def new_project(number: int) -> str:
    """The id of a project that lies beside one of the others, so that some stripes stay without events."""
    stripes = {stripe_of(each) for each in PROJECTS}
    return next(name for n in count() if stripe_of(name := f"new-{number}-{n}") in stripes)


Fault = tuple[Callable[[ClusterNode, ClusterNode], object], Callable[[ClusterNode], object]]
"""What is done to a primary with a replica, and what ends it."""

FAULTS: dict[str, Fault] = {
    "killed": (lambda primary, _: primary.kill(), lambda primary: primary.start()),
    "asked": (lambda _, replica: replica.ask("FAILOVER"), lambda _: None),
    "frozen": (
        lambda primary, _: primary.child.process.send_signal(signal.SIGSTOP),
        lambda primary: primary.child.process.send_signal(signal.SIGCONT),
    ),
}


@pytest.fixture(params=FAULTS)
def fault(request: pytest.FixtureRequest) -> Fault:
    """A primary is killed, a failover is asked for, a primary is frozen."""
    return FAULTS[request.param]


@asynccontextmanager
async def loaded(cluster: ThreePrimaries, running: RunningConsumer, bootstrap: str, topic: str) -> AsyncIterator[Load]:
    """Load, until the block ends; then all that was published is counted, and nothing has drifted."""
    async with producing(bootstrap) as producer, create_reader_store(cluster.url, cluster=True) as store:
        load = Load(producer, topic, store)
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run())
            try:
                await eventually(lambda: all(load.answers[each] for each in PROJECTS[1:]), "all projects are answered")
                yield load
            finally:
                load.done.set()
    await running.wait_counted(load.published)
    await assert_no_drift(running.redis, load.published)
    assert not running.working.done()


@asynccontextmanager
async def moving(cluster: ThreePrimaries, slot: int, most: int) -> AsyncIterator[tuple[ClusterNode, ClusterNode]]:
    """A slot is on its way from one primary to another; in the end all its keys are there, moved so many at a time."""
    source, target = await asyncio.to_thread(cluster.open_slot, slot)
    try:
        yield source, target
    finally:
        while await asyncio.to_thread(cluster.move_keys, slot, source, target, most):
            pass
        await asyncio.to_thread(cluster.close_slot, slot, target)


async def test_slots_are_moved_under_load(
    three_primaries: ThreePrimaries, make_settings: MakeSettings, kafka_bootstrap: str, topic: str
) -> None:
    """One slot after the other goes to another primary and comes back, while all others are written and read."""
    empty_cluster(three_primaries.url)
    async with (
        running_consumer(make_settings(three_primaries.url, redis_cluster="true")) as running,
        loaded(three_primaries, running, kafka_bootstrap, topic) as load,
    ):
        used = {slot_of(each.project_id) for each in load.published}
        idle = next(slot for slot in map(slot_of_stripe, range(STRIPES)) if slot not in used)
        async with moving(three_primaries, idle, 10_000):
            for _ in range(2):
                await load.wait_more(PROJECTS[1])
        for number, project in enumerate(PROJECTS[1:5]):
            slot = slot_of(project)
            other = next(each for each in PROJECTS[1:] if slot_of(each) != slot)
            for most in (3, 10_000):
                async with moving(three_primaries, slot, most) as (source, target):
                    assert await asyncio.to_thread(three_primaries.move_keys, slot, source, target, 1 + number)
                    await load.wait_more(other)
                await load.wait_more(project)


def slot_of(project: str) -> int:
    """The slot of all that is of a project."""
    return slot_of_stripe(stripe_of(project))


def slot_of_stripe(stripe: int) -> int:
    """The slot of a stripe."""
    return int(key_slot(head_key(stripe).encode()))


async def test_primary_is_replaced_under_load(
    three_primaries: ThreePrimaries, make_settings: MakeSettings, kafka_bootstrap: str, topic: str, fault: Fault
) -> None:
    """Consumer and API follow, and no script comes to the new primary but through the gate."""
    empty_cluster(three_primaries.url)
    async with (
        running_consumer(make_settings(three_primaries.url, redis_cluster="true")) as running,
        loaded(three_primaries, running, kafka_bootstrap, topic) as load,
    ):
        primary = three_primaries.owner(slot_of(PROJECTS[1]))
        replica = next(each for each in three_primaries.nodes if is_replica_of(each, primary))
        replica.admin.config_set("appendonly", "yes")
        begin, end = fault
        begin(primary, replica)
        try:
            await eventually(lambda: replica.is_primary, "the replica is the primary")
            await load.wait_more(PROJECTS[1])
            assert replica.admin.info("commandstats")["cmdstat_bgrewriteaof"]["calls"] == 1
        finally:
            end(primary)
            await asyncio.to_thread(three_primaries.wait_well)
            replica.admin.config_set("appendonly", "no")
        for project in PROJECTS[1:]:
            await load.wait_more(project)
