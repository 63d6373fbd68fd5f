"""Sweeps, repairs and swaps that end in part: what they left is mended or done again, and no answer is wrong."""

import pytest
from redis.asyncio import Redis

from service.store.audit.unfinished import mend_project
from service.store.errors import StoreUnavailableError
from service.store.generations import BuildingWriter, Generations
from service.store.layout.keys import STRIPES, project_prefix, stripe_of
from service.store.layout.projects import parse_meta
from service.store.retention import Sweeper
from service.store.write.writer import Step, StripeBatch
from tests.oracle import Oracle
from tests.store import damages
from tests.store.support import (
    Event,
    Store,
    assert_equals_oracle,
    assert_no_drift,
    event,
    limited,
    stored,
    stored_hash,
    stored_nodes,
)
from tests.store.totals import expected_totals, sum_of_totals

DAY_MS = 86_400_000
HORIZON_MS = 8 * DAY_MS
STRIPE = stripe_of("project")
EVENTS: list[Event] = [
    event(job, start_time_ms=job % 16 * DAY_MS + job * 1_000, user_id=f"user{job % 3}") for job in range(900)
]
KEPT = [each for each in EVENTS if each.start_time_ms >= HORIZON_MS]  # type: ignore[union-attr]
QUERIES = [("project", start, end, None) for start in (HORIZON_MS, 9 * DAY_MS) for end in (None, 12 * DAY_MS)]


async def no_pause() -> None:
    """Nobody else needs a turn."""


async def assert_right_or_refused(store: Store, events: list[Event]) -> None:
    """Every answer is the oracle's, or none."""
    for query in QUERIES:
        try:
            body = await store.body(*query)
        except StoreUnavailableError:
            continue
        assert body == Oracle(events).answer(*query)


@pytest.mark.parametrize("command", ["set", "setrange", "hdel", "del"])
async def test_sweep_that_ends_in_part(redis_flushed: str, command: str) -> None:
    """What is left is what the records say; the next sweep takes out the rest."""
    async with Redis.from_url(redis_flushed) as client, limited(redis_flushed, "~*", "+@all", f"-{command}") as part:
        store = Store(client)
        await store.apply(EVENTS)
        at = len(EVENTS)
        await store.writer.apply(1, [StripeBatch(STRIPE, [Step(0, at, at, 0)], horizon_ms=HORIZON_MS)])
        with pytest.raises(StoreUnavailableError):
            await Sweeper(part).sweep(STRIPE, no_pause)
        await assert_right_or_refused(store, KEPT)
        assert (await mend_project(client, "project")).left == []
        await assert_equals_oracle(store, KEPT, QUERIES)
        swept = await Sweeper(client).sweep(STRIPE, no_pause)
        assert swept is not None
        assert swept.refused == {}
        assert await sum_of_totals(client) == expected_totals(EVENTS, HORIZON_MS)
        await assert_equals_oracle(store, KEPT, QUERIES)
        await assert_no_drift(client, EVENTS)


async def damage(client: Redis) -> None:
    """A record in the wrong hash, inner nodes that are leaves, and a foreign value where a node might be."""
    prefix = project_prefix("project")
    job, record = next(iter((await stored_hash(client, f"{prefix}j:3")).items()))
    await client.hset(f"{prefix}j:4", job, record)
    await client.hdel(f"{prefix}j:3", job)
    nodes = sorted(await stored_nodes(client, "project"))
    for level, index in nodes[:: len(nodes) // 9]:
        await client.set(f"{prefix}n:{level}:{index}", b"L")
    await client.xadd(f"{prefix}n:33:1", {"a": "b"})


@pytest.mark.parametrize("command", ["set", "del", "hset", "hdel"])
async def test_repair_that_ends_in_part(redis_flushed: str, command: str) -> None:
    """A repair is a write like any other: what it left is mended by the next one."""
    async with Redis.from_url(redis_flushed) as client, limited(redis_flushed, "~*", "+@all", f"-{command}") as part:
        store = Store(client)
        await store.apply(EVENTS)
        await damage(client)
        with pytest.raises(StoreUnavailableError):
            await mend_project(part, "project")
        assert (await mend_project(client, "project")).left == []
        await assert_equals_oracle(store, EVENTS, [("project", None, None, None), *QUERIES])
        await assert_no_drift(client, EVENTS)


@pytest.mark.parametrize("command", ["set", "del", "sadd"])
async def test_swap_that_ends_in_part(redis_flushed: str, command: str) -> None:
    """A swap is done again; what is live is never deleted, though it is retired already."""
    async with Redis.from_url(redis_flushed) as client, limited(redis_flushed, "~*", "+@all", f"-{command}") as part:
        store = Store(client)
        projects = {batch.stripe: batch.projects for batch in store.batches(EVENTS)}
        steps = [Step(0, 0, len(EVENTS), 0)]
        await store.writer.apply(1, [StripeBatch(s, steps, projects.get(s, ())) for s in range(STRIPES)])
        generations = Generations(client)
        await generations.begin(await generations.look())
        building = await generations.look()
        writer = BuildingWriter(client, building)
        await writer.apply(1, [StripeBatch(s, steps, projects.get(s, ()), 1) for s in range(STRIPES)])
        with pytest.raises(StoreUnavailableError):
            await Generations(part).swap(building)
        await generations.delete_retired()
        await assert_equals_oracle(store, EVENTS, [("project", None, None, None)])
        building = await generations.look()
        if building.is_begun and building.stripes:
            assert await generations.swap(building) == []
        await generations.delete_retired()
        assert {head.generation for head in await store.writer.read_heads()} == {1}
        await assert_equals_oracle(store, EVENTS, [("project", None, None, None)])
        await assert_no_drift(client, EVENTS)


async def test_a_name_that_cannot_be_read_does_not_keep_the_mark(store: Store) -> None:
    """The mend goes on without it, and it is what is left."""
    client = await damages.make_project(store)
    hashes = parse_meta(await stored(client, damages.META)).hashes
    await damages.rewrite_user(b"\x05user0\xff")(client)
    await damages.rewrite_meta(unfinished_hashes=hashes)(client)
    repair = await mend_project(client, "project")
    assert [drift.key for drift in repair.left] == [damages.NAMES]
    assert parse_meta(await stored(client, damages.META)).unfinished_hashes == 0
