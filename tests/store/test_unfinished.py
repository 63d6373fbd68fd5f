"""Scripts that end in part: no answer is wrong, and what is missing comes without a person."""

import asyncio
import re
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from service.store.audit.unfinished import mend_project
from service.store.errors import RefusedError, StoreUnavailableError
from service.store.layout.keys import projects_key, stripe_of
from service.store.write.writer import StoreWriter
from tests.oracle import Oracle
from tests.store.support import Event, Query, Store, assert_equals_oracle, assert_no_drift, event, everything, limited
from tests.store.totals import expected_totals, sum_of_totals

WRITES = ("set", "setrange", "append", "hset", "hdel", "sadd")
PROJECTS = ("project", "other-100")  # of one stripe
DAY_MS = 86_400_000

# a leaf that splits, hashes that grow, a user who is renamed, new users, a topmost node, a deeper tree
FIRST: list[Event] = [event(job, start_time_ms=DAY_MS + job, user_id=f"user{job % 3}") for job in range(120)]
SECOND: list[Event] = [
    *[event(job, start_time_ms=DAY_MS + job * 1_000, user_id=f"user{job % 5}") for job in range(100, 900)],
    *[event(job, event_time_ms=2_000, user_name="renamed", start_time_ms=DAY_MS + job) for job in range(10)],
    event("far", start_time_ms=5 << 42),
    *[event(job, project_id="other-100", start_time_ms=DAY_MS + job) for job in range(50)],
]
QUERIES: list[Query] = [
    (project, start, end, None) for project in PROJECTS for start in (None, DAY_MS + 50) for end in (None, 5 << 42)
]


async def assert_right_or_refused(store: Store, *allowed: list[Event]) -> None:
    """Every answer is that of one of these sets of events, or none."""

    async def check(query: Query) -> None:
        try:
            body = await store.body(*query)
        except StoreUnavailableError:
            return
        assert body in [Oracle(events).answer(*query) for events in allowed]

    await asyncio.gather(*map(check, QUERIES))


async def apply_after_mending(store: Store, events: list[Event]) -> None:
    """Applies events as a consumer does, in other batches than before: what was written in part is mended first."""
    for at in range(0, len(events), 77):
        await apply_mending(store, events[at : at + 77])


async def apply_mending(store: Store, events: list[Event]) -> None:
    """Applies a batch; a project that is in the way is mended, and the batch comes again."""
    for _ in PROJECTS:
        try:
            await store.apply(events)
        except RefusedError as error:
            repair = await mend_project(store.client, error.project_id)
            assert (error.problem[:6], repair.left) == ("MARKED", [])  # noqa: PT017 - both are what is refused
        else:
            return
    await store.apply(events)


@pytest.mark.parametrize("command", WRITES)
async def test_a_forbidden_command_costs_no_event(redis_flushed: str, command: str) -> None:
    """Whichever write fails, readers get no wrong number, and the batch is counted once it may be written."""
    async with Redis.from_url(redis_flushed) as client:
        store = Store(client)
        await store.apply(FIRST)
        assert await end_in_part(store, redis_flushed, "~*", "+@all", f"-{command}")
        await apply_after_mending(store, SECOND)
        await assert_equals_oracle(store, [*FIRST, *SECOND], QUERIES)
        await assert_no_drift(client, SECOND)
        assert await everyone_is_listed(client)
        assert await sum_of_totals(client) == expected_totals([*FIRST, *SECOND])


async def test_a_script_may_end_before_any_key(redis_flushed: str) -> None:
    """The same holds whichever of the keys that the batch writes is the first that is not written."""
    async with Redis.from_url(redis_flushed) as client:
        keys = await written_keys(client)
        for key in some_of_each_kind(keys):
            await client.flushdb()
            store = Store(client)
            await store.apply(FIRST)
            others = [f"~{other}" for other in keys if other != key]
            assert await end_in_part(store, redis_flushed, "%R~*", *others, "+@all"), key
            await apply_after_mending(store, SECOND)
            await assert_equals_oracle(store, [*FIRST, *SECOND], QUERIES)
            await assert_no_drift(client, SECOND)
            assert await everyone_is_listed(client), key
            assert await sum_of_totals(client) == expected_totals([*FIRST, *SECOND]), key


async def written_keys(client: Redis) -> list[str]:
    """What the second batch writes."""
    store = Store(client)
    await store.apply(FIRST)
    before = await everything(client)
    await store.apply(SECOND)
    after = await everything(client)
    return sorted(key.decode() for key in after if after[key] != before.get(key))


def some_of_each_kind(keys: list[str]) -> list[str]:
    """All keys but nodes and record hashes, of which some dozen."""
    nodes, records = ([key for key in keys if part in key] for part in (":n:", ":j:"))
    rest = [key for key in keys if key not in nodes and key not in records]
    return [*rest, *nodes[:: len(nodes) // 12], *records[:: len(records) // 12]]


async def end_in_part(store: Store, redis_url: str, *rules: str) -> bool:
    """Applies the second batch as a user who may not write all of it; whether it failed and no answer is wrong."""
    batches = store.batches(SECOND)
    async with limited(redis_url, *rules) as part:
        with pytest.raises(StoreUnavailableError, match=r"permission|can't run|access"):
            await StoreWriter(part).apply(1, batches)
    await assert_right_or_refused(store, FIRST, [*FIRST, *SECOND])
    return True


async def everyone_is_listed(client: Redis) -> bool:
    """Whether the stripe knows its projects."""
    members: Any = await client.smembers(projects_key(stripe_of("project"), 0))
    return bool(members == {project.encode() for project in PROJECTS})


async def test_a_killed_script_is_no_refusal(redis_flushed: str) -> None:
    """SCRIPT KILL ends a script before its first write: the batch comes again, and is not refused."""
    events: list[Event] = [event(job, start_time_ms=DAY_MS + job) for job in range(40_000)]
    async with Redis.from_url(redis_flushed) as client, Redis.from_url(redis_flushed) as killer:
        await client.config_set("busy-reply-threshold", 1)
        store, kills = Store(client), 0

        async def kill() -> None:
            nonlocal kills
            while kills < 5:
                try:
                    await killer.script_kill()
                    kills += 1
                except ResponseError as error:
                    assert re.match("NOTBUSY|UNKILLABLE", str(error))  # noqa: PT017

        killing = asyncio.create_task(kill())
        applied = 0
        while kills < 5 or applied < len(events):
            some = events[applied : applied + 2_000] or events[:2_000]
            try:
                await store.apply(some)
                applied += len(some)
            except StoreUnavailableError:
                continue
        await killing
        await client.config_set("busy-reply-threshold", 5_000)
        await assert_equals_oracle(store, events, [("project", None, None, None)])
        await assert_no_drift(client, events)
