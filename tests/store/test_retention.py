"""Retention: jobs that start before the horizon count nowhere, and leave the store."""

from collections.abc import Iterable, Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from redis.asyncio import Redis

from service.events.event import JobDeletion, JobEvent
from service.store.errors import FencedError
from service.store.generations import BuildingWriter, Generations
from service.store.layout.keys import STRIPES, head_key, project_prefix, stripe_of, swept_key
from service.store.layout.projects import parse_meta, parse_shape
from service.store.layout.records import job_key
from service.store.retention import Sweeper, Swept
from service.store.write.writer import Step, StripeBatch
from tests.oracle import Oracle
from tests.store.histories import History, heavy_histories, histories
from tests.store.support import NOON_MS, Event, Query, Store, assert_no_drift, event, everything, stored

STRIPE = stripe_of("project")
DAY_MS = 86_400_000


async def no_pause() -> None:
    """Nobody else needs a turn."""


async def move_horizon(store: Store, horizon_ms: int) -> None:
    """Moves the horizon of all stripes forward, as an idle consumer does."""
    heads = await store.writer.read_heads()
    at = [head.progress[0].next_offset if head.progress else 0 for head in heads]
    await store.writer.apply(
        1,
        [StripeBatch(stripe, [Step(0, at[stripe], at[stripe], 0)], horizon_ms=horizon_ms) for stripe in range(STRIPES)],
    )


async def sweep_all(client: Redis) -> Swept:
    """Sweeps every stripe; what that came to."""
    total = Swept()
    for stripe in range(STRIPES):
        swept = await Sweeper(client).sweep(stripe, no_pause)
        if swept is not None:
            total.records += swept.records
            total.refused |= swept.refused
    return total


async def assert_counted(store: Store, events: Sequence[Event], horizon_ms: int, queries: Iterable[Query]) -> None:
    """Every query is answered as a recount of the jobs from the horizon on answers it."""
    oracle = Oracle(events)
    for query in queries:
        project_id, start_ms, end_ms, user_id = query
        expected = oracle.answer(project_id, max(start_ms or 0, horizon_ms), end_ms, user_id)
        assert (query, await store.body(*query)) == (query, expected)


async def names_of(client: Redis, kind: str, project_id: str = "project") -> set[str]:
    """The keys of a project of one kind, without what they begin with."""
    prefix = project_prefix(project_id)
    return {key.decode().removeprefix(prefix) async for key in client.scan_iter(f"{prefix}{kind}*")}


async def used_bytes(client: Redis) -> int:
    """What Redis needs for all keys together."""
    return sum([await client.memory_usage(key) or 0 async for key in client.scan_iter(count=1_000)])


def days(count: int, jobs_a_day: int) -> list[JobEvent]:
    """Jobs spread over so many days from the epoch on."""
    return [
        event(day * jobs_a_day + job, user_id=f"user{job % 5}", start_time_ms=day * DAY_MS + job * DAY_MS // jobs_a_day)
        for day in range(count)
        for job in range(jobs_a_day)
    ]


async def test_jobs_before_the_horizon_leave_and_memory_falls(client: Redis, store: Store) -> None:
    """After a sweep records, entries, nodes and the shape are those of the jobs that are left, and no more."""
    events = days(40, 500)
    await store.apply(events)
    full_bytes = await used_bytes(client)
    nodes = await names_of(client, "n:")
    await move_horizon(store, 30 * DAY_MS)
    swept = await sweep_all(client)
    assert (swept.records, swept.refused) == (30 * 500, {})
    assert await used_bytes(client) < full_bytes / 3
    prefix = project_prefix("project")
    meta, shape = parse_meta(await stored(client, f"{prefix}m")), parse_shape(await stored(client, f"{prefix}s"))
    assert meta.records == 10 * 500
    left = await names_of(client, "n:")
    assert left < nodes
    assert min((index + 1) << level for level, index in (map(int, name.split(":")[1:]) for name in left)) > 30 * DAY_MS
    assert all((index + 1) << level % 128 > 30 * DAY_MS for level, index in shape)
    queries: list[Query] = [
        ("project", start, end, None) for start in (None, 35 * DAY_MS) for end in (None, 36 * DAY_MS)
    ]
    await assert_counted(store, events, 30 * DAY_MS, queries)
    await assert_no_drift(client, events)
    await move_horizon(store, 60_000 * DAY_MS)
    await sweep_all(client)
    assert await names_of(client, "n:") | await names_of(client, "j:") | await names_of(client, "s") == set()
    await assert_counted(store, events, 60_000 * DAY_MS, queries)
    await store.apply([event("new", start_time_ms=70_000 * DAY_MS)])
    await assert_counted(store, [*events, event("new", start_time_ms=70_000 * DAY_MS)], 60_000 * DAY_MS, queries)
    await assert_no_drift(client, events)


async def test_late_events_of_forgotten_jobs_change_nothing(client: Redis, store: Store) -> None:
    """An event that starts before the horizon, of a job that is not known, leaves nothing but the user's name."""
    await store.apply([event(1, start_time_ms=2_000)])
    await move_horizon(store, 1_000)
    before = await everything(client)
    late = [event(job, start_time_ms=999, sequence=5) for job in range(2, 300)]
    assert await store.apply(late) == 0
    after = await everything(client)
    assert {key for key in after if after[key] != before.get(key)} == {head_key(STRIPE).encode()}
    renamed = [event(7, start_time_ms=999, user_name="other", event_time_ms=5_000)]
    await store.apply(renamed)
    await assert_counted(
        store, [event(1, start_time_ms=2_000), *late, *renamed], 1_000, [("project", None, None, None)]
    )


async def test_known_job_that_moves_before_the_horizon_counts_no_more(client: Redis, store: Store) -> None:
    """The latest event counts, also where it starts before the horizon: then its job counts nowhere, and goes."""
    events = [event(job, start_time_ms=2_000 + job) for job in range(300)]
    moved = [event(job, start_time_ms=job, sequence=1) for job in range(0, 300, 3)]
    await store.apply(events)
    await move_horizon(store, 1_000)
    assert (await sweep_all(client)).records == 0
    await store.apply(moved)
    queries: list[Query] = [("project", None, None, None), ("project", 1_000, 2_150, "user")]
    await assert_counted(store, [*events, *moved], 1_000, queries)
    await assert_no_drift(client, events)
    await store.apply(events)
    await assert_counted(store, [*events, *moved], 1_000, queries)
    await move_horizon(store, 1_001)
    assert (await sweep_all(client)).records == len(moved)
    await assert_counted(store, [*events, *moved], 1_001, queries)
    await assert_no_drift(client, events)


async def test_deleted_jobs_are_forgotten_once_their_start_is(client: Redis, store: Store) -> None:
    """A deleted job's record goes with its start; one whose start was never known stays, and goes on excluding it."""
    known: list[JobEvent] = [event(job, start_time_ms=500 + job) for job in range(100)]
    unknown = JobDeletion("project", "unknown")
    await store.apply(known)
    await store.apply([*[JobDeletion("project", each.job_id) for each in known], unknown])
    await move_horizon(store, 550)
    assert (await sweep_all(client)).records == 50
    fields = {
        key for name in await names_of(client, "j:") for key in await client.hkeys(project_prefix("project") + name)
    }
    assert fields == {job_key(each.job_id) for each in known[50:]} | {job_key(unknown.job_id)}
    await store.apply([*known, event("unknown", start_time_ms=600)])
    assert (await store.body("project"))["total_user_num"] == 0


async def test_sweep_is_done_once_for_each_horizon_and_generation(client: Redis, store: Store) -> None:
    """A stripe that was swept is left alone until the horizon moves on."""
    sweeper = Sweeper(client)
    assert await sweeper.sweep(STRIPE, no_pause) is None
    await store.apply([event(1, start_time_ms=1), event(2, start_time_ms=2)])
    for horizon_ms in (2, 3):
        await move_horizon(store, horizon_ms)
        swept = await sweeper.sweep(STRIPE, no_pause)
        assert swept is not None
        assert swept.records == 1
        assert await sweeper.sweep(STRIPE, no_pause) is None
        assert await client.get(swept_key(STRIPE, 0)) == b"%d" % horizon_ms


async def test_horizon_never_goes_back(store: Store) -> None:
    """A consumer with an earlier horizon, or none, leaves the later one that is stored."""
    for horizon_ms in (5_000, 3_000, 0):
        await move_horizon(store, horizon_ms)
        assert {head.live.horizon_ms for head in await store.writer.read_heads()} == {5_000}


async def test_sweep_goes_on_where_memory_is_used_up(client: Redis, store: Store) -> None:
    """A sweep frees memory, so a limit that is reached does not keep it from doing so."""
    await store.apply(days(4, 200))
    await move_horizon(store, 3 * DAY_MS)
    await client.config_set("maxmemory", 1)
    try:
        assert (await sweep_all(client)).records == 3 * 200
    finally:
        await client.config_set("maxmemory", 0)
    await assert_no_drift(client, [event()])


async def test_project_with_drift_is_left_as_it_is(client: Redis, store: Store) -> None:
    """Where a contribution is missing nothing of the project is swept, and the sweep says why; others are swept."""
    other = next(f"project-{n}" for n in range(1_000) if stripe_of(f"project-{n}") == STRIPE)
    await store.apply([event(1), event(2, project_id=other)])
    await client.set(f"{project_prefix('project')}n:42:0", "L")
    await move_horizon(store, NOON_MS + 1)
    before = await everything(client)
    swept = await Sweeper(client).sweep(STRIPE, no_pause)
    assert swept is not None
    assert (swept.records, list(swept.refused)) == (1, ["project"])
    assert "DRIFT no such contribution" in swept.refused["project"]
    after = await everything(client)
    assert all(after[key] == before[key] for key in before if b":project:" in key)


@pytest.mark.parametrize("crowd", [3, 300], ids=["leaf", "rows"])
async def test_node_that_holds_a_job_again_stays(client: Redis, store: Store, crowd: int) -> None:
    """A job that moves to before the horizon, after the records were looked through, keeps its nodes; it goes later."""
    old = [event(job, start_time_ms=900) for job in range(crowd)]
    young = [event(f"young {job}", start_time_ms=2_000 + job) for job in range(300)]
    mover = event("young 7", sequence=1, start_time_ms=900)
    await store.apply([*old, *young])
    await move_horizon(store, 1_000)
    applied: list[int] = []

    async def move_once() -> None:
        meta = parse_meta(await stored(client, f"{project_prefix('project')}m"))
        if meta.records == len(young) and not applied:  # the old ones have been taken out
            applied.append(await store.apply([mover]))

    await Sweeper(client).sweep(STRIPE, move_once)
    assert applied == [1]
    await assert_no_drift(client, old)
    await assert_counted(store, [*old, *young, mover], 1_000, [("project", None, None, None)])
    await move_horizon(store, 1_001)
    assert (await sweep_all(client)).records == 1
    await assert_no_drift(client, old)


async def test_sweep_ends_when_another_generation_is_live(client: Redis, store: Store) -> None:
    """A sweep of a generation that is replaced meanwhile touches neither, and is not marked as done."""
    await store.apply(days(4, 200))
    await move_horizon(store, 3 * DAY_MS)
    generations = Generations(client)
    await generations.begin(await generations.look())
    building = await generations.look()
    heads = await store.writer.read_heads()
    ends = [head.progress[0].next_offset for head in heads]
    await BuildingWriter(client, building).apply(
        1, [StripeBatch(s, [Step(0, 0, end, 0)], (), 1, 3 * DAY_MS) for s, end in enumerate(ends)]
    )
    before: dict[bytes, object] = {}

    async def swap_once() -> None:
        if not before:
            assert await generations.swap(building) == []
            before.update(await everything(client))

    with pytest.raises(FencedError):
        await Sweeper(client).sweep(STRIPE, swap_once)
    assert await everything(client) == before


def with_one_start(events: Sequence[Event]) -> list[Event]:
    """The same events, each job's with the start of its first."""
    starts: dict[tuple[str, str], int] = {}
    return [
        replace(each, start_time_ms=starts.setdefault((each.project_id, each.job_id), each.start_time_ms))
        if isinstance(each, JobEvent)
        else each
        for each in events
    ]


async def check_history(client: Redis, history: History, seed: int) -> None:
    """Applies a history, while the horizon moves now and then, and is swept or not; then applies it once more."""
    await client.flushdb()
    rnd, store, horizon_ms = Random(seed), Store(client), 0
    events = with_one_start(history.events)
    starts = sorted(each.start_time_ms for each in events if isinstance(each, JobEvent)) or [0]
    at = 0
    for batch in history.batches:
        await store.apply(events[at : at + len(batch)])
        at += len(batch)
        if rnd.random() < 0.7:
            horizon_ms = max(horizon_ms, rnd.choice(starts) + rnd.choice((-1, 0, 1, 1_000)))
            await move_horizon(store, horizon_ms)
            if rnd.random() < 0.7:
                assert (await sweep_all(client)).refused == {}
    await assert_counted(store, events, horizon_ms, history.queries)
    await store.apply(events)
    await sweep_all(client)
    await assert_counted(store, events, horizon_ms, history.queries)
    await assert_no_drift(client, events)


@settings(max_examples=25)
@given(histories(), st.integers(0, 2**32))
async def test_answers_equal_a_recount_from_the_horizon_on(client: Redis, history: History, seed: int) -> None:
    """Whatever is applied, in whatever order, and however often between batches the horizon moves and is swept."""
    await check_history(client, history, seed)


@settings(max_examples=5)
@given(heavy_histories(), st.integers(0, 2**32))
async def test_heavy_histories_equal_a_recount_from_the_horizon_on(client: Redis, history: History, seed: int) -> None:
    """The same with many jobs of few users, so that rows are wide."""
    await check_history(client, history, seed)
