"""Processes of API and consumer on a cluster of which something breaks, under load that goes on all the time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
from redis.crc import key_slot

from deploy.local.waiting import eventually
from service.store.layout.keys import head_key, stripe_of
from tests.cluster.faults import FAULTS, Fault
from tests.conftest import MakeTopic
from tests.consumers.support import publish
from tests.end_to_end.system import System
from tests.oracle import Oracle
from tests.redis_cluster import ThreePrimaries
from tests.servers import Processes
from tests.store.support import NOON_MS, Event, event

PROJECTS = [f"project-{number}" for number in range(12)]
JOBS = 5  # of a project in a wave


@dataclass
class Load:
    """Publishes waves of events, and asks for all projects over HTTP, until it is done."""

    system: System
    bootstrap: str
    topic: str
    published: list[Event] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def publish(self) -> None:
        """Each wave has new jobs of each project."""
        wave = 0
        while not self.done.is_set():
            events: list[Event] = [
                event(f"{wave}-{job}", project_id=each, start_time_ms=NOON_MS + wave, user_id=f"user{wave % 7}")
                for each in PROJECTS
                for job in range(JOBS)
            ]
            self.published += events
            await publish(self.bootstrap, self.topic, events)
            wave += 1
            await asyncio.sleep(0.05)

    async def ask(self, project: str) -> None:
        """Each answer is that of the project's first events, up to any of them, or says when to ask again."""
        while not self.done.is_set():
            status, headers, body = await self.system.get((project, None, None, None))
            if status == 200:
                events = [each for each in self.published if each.project_id == project]
                assert body == Oracle(events[: body["total_running_num"]]).answer(project)
                self.answered[project] += 1
            else:
                assert (status, "Retry-After" in headers) == (503, True), body
                self.refused[project] += 1
            await asyncio.sleep(0.02)

    async def goes_on(self, projects: Sequence[str]) -> None:
        """Waits until each of these projects is answered again."""
        before = self.answered.copy()
        await eventually(lambda: all(self.answered[each] > before[each] for each in projects), f"answers of {projects}")

    async def is_refused(self, projects: Sequence[str]) -> None:
        """Waits until each of these projects is refused again."""
        before = self.refused.copy()
        await eventually(lambda: all(self.refused[each] > before[each] for each in projects), f"503 for {projects}")

    async def wait_counted(self) -> None:
        """Waits until all that is published by now is answered, exactly."""
        events = list(self.published)

        async def is_counted(project: str) -> bool:
            status, _, body = await self.system.get((project, None, None, None))
            return status == 200 and body["total_running_num"] >= len(events) // len(PROJECTS)

        for project in PROJECTS:
            await eventually(lambda project=project: is_counted(project), f"{project} is counted", 60)


@asynccontextmanager
async def loaded(load: Load) -> AsyncIterator[None]:
    """Load, until the block ends; then each answer is the oracle's."""
    async with asyncio.TaskGroup() as group:
        for each in (load.publish(), *map(load.ask, PROJECTS)):
            group.create_task(each)
        try:
            yield
        finally:
            load.done.set()
    await load.wait_counted()
    oracle = Oracle(load.published)
    for project in PROJECTS:
        assert (await load.system.ask((project, None, None, None)))[1] == oracle.answer(project)


def slot_of(project: str) -> int:
    """The slot of all that is of a project."""
    return int(key_slot(head_key(stripe_of(project)).encode()))


async def break_it(cluster: ThreePrimaries, load: Load, fault: Fault) -> None:
    """While the fault lasts, whoever can be answered is; afterwards all is counted."""
    slots = sorted({slot_of(each) for each in PROJECTS})
    owners = {each: cluster.owner(slot_of(each)) for each in PROJECTS}
    async with fault(cluster, slots) as lost:
        theirs = [each for each, owner in owners.items() if owner in lost]
        await load.is_refused(theirs)
        await load.goes_on([each for each in PROJECTS if each not in theirs])
        if not lost:
            await load.wait_counted()
    await asyncio.to_thread(cluster.wait_well)
    await load.wait_counted()


@pytest.fixture
async def system(
    cluster: ThreePrimaries, kafka_bootstrap: str, make_topic: MakeTopic, processes: Processes
) -> AsyncIterator[tuple[System, str]]:
    """API and consumer, started with three hosts of which the first is not there; and their topic."""
    topic = await make_topic(partitions=2)
    hosts = ",".join(f"127.0.0.1:{node.port}" for node in cluster.nodes[:3])
    environment = {
        "STATS_REDIS_URL": f"redis://127.0.0.1:1,{hosts}/0",
        "STATS_REDIS_CLUSTER": "true",
        "STATS_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "STATS_KAFKA_TOPIC": topic,
        "STATS_KAFKA_DEAD_LETTER_TOPIC": f"{topic}.dead-letters",
    }
    async with aiohttp.ClientSession() as http:
        system = System(processes, environment, http)
        await system.start_consumer()
        # without an event there are no statistics, and the API is not ready
        await publish(kafka_bootstrap, topic, [event(0, project_id="first")])
        await system.start_service()
        yield system, topic


async def test_all_is_counted_whatever_breaks(
    cluster: ThreePrimaries, system: tuple[System, str], kafka_bootstrap: str
) -> None:
    """One fault after the other: no answer is ever wrong, and those that are not concerned go on."""
    load = Load(system[0], kafka_bootstrap, system[1])
    async with loaded(load):
        await load.goes_on(PROJECTS)
        for fault in FAULTS:
            await break_it(cluster, load, fault)
