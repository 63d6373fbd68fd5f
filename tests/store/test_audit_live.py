"""The audit of a project that is written meanwhile: no false alarm, and no drift overlooked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random

import pytest
from redis.asyncio import Redis

from service.events.event import JobDeletion, JobStatus
from service.store.audit.audit import audit_project
from service.store.audit.repair import repair_project
from service.store.layout.keys import project_prefix
from service.store.layout.nodes import ENTRY_BYTES
from service.store.layout.projects import parse_meta, user_key
from tests.store.support import NOON_MS, Event, Store, assert_equals_oracle, event, stored, stored_nodes

PREFIX = project_prefix("project")
JOBS = 3_000
ALIKE_JOBS = 100  # of those made in a row: all of one user, with one start
PLACES: dict[str, Callable[[Random], int]] = {
    "one ms": lambda rnd: NOON_MS,
    "few ms": lambda rnd: NOON_MS + rnd.randrange(9),
    "seconds": lambda rnd: NOON_MS + rnd.randrange(30_000),
    "days": lambda rnd: NOON_MS + rnd.randrange(10**9),
}


class Traffic:
    """Jobs that come, go through their states, are corrected and deleted, without end."""

    def __init__(self, store: Store, place: Callable[[Random], int], alike: int = ALIKE_JOBS) -> None:
        self._alike = alike
        self.events: list[Event] = []
        self._store = store
        self._place = place
        self._rnd = Random(7)
        self._made = 0

    def _next(self) -> Event:
        rnd = self._rnd
        if rnd.random() < 0.5:
            self._made += 1
            group = Random(self._made // self._alike)
            user, start_ms = f"user{group.randrange(4)}", self._place(group)
            return event(self._made, user_id=user, start_time_ms=start_ms, sequence=1, status=JobStatus.LAUNCHING)
        job = max(1, self._made - rnd.randrange(50 if rnd.random() < 0.8 else JOBS))
        if rnd.random() < 0.02:
            return JobDeletion("project", event(job).job_id)
        group = rnd if rnd.random() < 0.05 else Random(job // self._alike)
        user, start_ms = f"user{group.randrange(4)}", self._place(group)
        status = JobStatus(rnd.randrange(6))
        return event(job, user_id=user, start_time_ms=start_ms, sequence=len(self.events) + 2, status=status)

    async def write(self, events: int) -> None:
        """One batch."""
        some = [self._next() for _ in range(events)]
        self.events += some
        await self._store.apply(some)

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Writes small batches, one after the other, until the block ends."""
        ends = asyncio.Event()

        async def flow() -> None:
            while not ends.is_set():
                await self.write(self._rnd.randrange(1, 30))

        task = asyncio.create_task(flow())
        try:
            yield
        finally:
            ends.set()
            await task


@pytest.fixture(params=sorted(PLACES))
async def traffic(store: Store, request: pytest.FixtureRequest) -> Traffic:
    """Traffic of some thousand events so far."""
    traffic = Traffic(store, PLACES[request.param])
    await traffic.write(2 * JOBS)
    return traffic


async def test_no_false_alarm_under_writes(store: Store, traffic: Traffic) -> None:
    """While hashes and leaves split and jobs change, move and go, the audit finds nothing."""
    meta = parse_meta(await stored(store.client, f"{PREFIX}m"))
    audits = 0
    async with traffic.flowing():
        while audits < 12:
            assert await audit_project(store.client, "project") == []
            audits += 1
    assert parse_meta(await stored(store.client, f"{PREFIX}m")).hashes > meta.hashes
    await assert_equals_oracle(store, traffic.events, [("project", None, None, None)])


async def lose_an_entry(client: Redis, leaf: str) -> None:
    await client.set(leaf, (await stored(client, leaf))[:-ENTRY_BYTES])


async def add_an_entry(client: Redis, leaf: str) -> None:
    await client.append(leaf, (await stored(client, leaf))[-ENTRY_BYTES:])


async def change_an_entry(client: Redis, leaf: str) -> None:
    await client.setrange(leaf, len(await stored(client, leaf)) - ENTRY_BYTES + 8, b"\xff")


async def test_nodes_that_change_all_the_while_are_judged(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """That jobs keep coming into a leaf does not keep it from being judged, if they are not all alike."""
    traffic = Traffic(store, PLACES["seconds"], alike=1)
    await traffic.write(2 * JOBS)
    async with traffic.flowing():
        assert [await audit_project(store.client, "project") for _ in range(5)] == [[]] * 5
    assert caplog.messages == []


async def test_surplus_is_seen_in_nodes_that_change_all_the_while(store: Store) -> None:
    """An entry of no job is found in a leaf that jobs keep coming into, and nothing else is."""
    traffic = Traffic(store, PLACES["seconds"], alike=1)
    await traffic.write(JOBS)
    assert isinstance(store.client, Redis)
    nodes = await stored_nodes(store.client, "project")
    leaf, string = min(item for item in nodes.items() if item[1][:1] == b"L" and 1 < len(item[1]) < 100 * ENTRY_BYTES)
    entry = string[1 : 1 + 14] + user_key("user0") + b"\x05"
    await store.client.append(f"{PREFIX}n:{leaf[0]}:{leaf[1]}", entry)
    async with traffic.flowing():
        found = await audit_project(store.client, "project")
    assert [drift.what for drift in found if "of none" in drift.what] == [
        "lacks 0 contributions of its jobs, has 1 of none"
    ]


@pytest.mark.parametrize("damage", [lose_an_entry, add_an_entry, change_an_entry])
async def test_drift_is_found_and_mended_under_writes(
    store: Store, damage: Callable[[Redis, str], Awaitable[None]]
) -> None:
    """What is wrong with a leaf is seen while the project is written, and only that; once mended, all is right."""
    assert isinstance(store.client, Redis)
    old_start_ms = NOON_MS - 10**10
    old = event("old", user_id="user1", start_time_ms=old_start_ms)
    traffic = Traffic(store, PLACES["seconds"])
    traffic.events.append(old)
    await store.apply([old])
    await traffic.write(JOBS)
    leaf = f"{PREFIX}n:33:{old_start_ms >> 33}"
    assert len(await stored(store.client, leaf)) == 1 + ENTRY_BYTES
    await damage(store.client, leaf)
    async with traffic.flowing():
        found = await audit_project(store.client, "project")
        repair = await repair_project(store.client, "project")
    assert leaf in {drift.key for drift in found}
    assert (set(found), repair.left) == (set(repair.found), [])
    assert await audit_project(store.client, "project") == []
    await assert_equals_oracle(store, traffic.events, [("project", None, None, None), ("project", None, NOON_MS, None)])
