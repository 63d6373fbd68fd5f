"""`upgrade` and `downgrade`: from layout 3 to 4 and back, under writes, broken off anywhere, with a rebuild beside."""

import asyncio
from random import Random

import pytest
from redis.asyncio import Redis, RedisCluster

from service.runtime.settings import ConsumerSettings
from service.store.audit.totals import audit_totals
from service.store.audit.unfinished import mend_project
from service.store.generations import Building, BuildingWriter, Generations
from service.store.layout.heads import parse_head
from service.store.layout.keys import STRIPES, building_head_key, head_key, project_prefix, stripe_of, totals_key
from service.store.layouts import Layouts
from service.store.redis.client import create_writer_client
from tests.commands.support import run
from tests.store.support import Event, Query, Store, assert_equals_oracle, assert_no_drift, event, everything
from tests.store.test_generations import EVENTS, build, fill
from tests.store.test_retention import DAY_MS, move_horizon, no_pause, sweep_all
from tests.store.totals import expected_totals, stored_totals, sum_of_totals

Capture = pytest.CaptureFixture[str]
STRIPE = stripe_of("project")
WHOLE: list[Query] = [("project", None, None, None)]


async def versions(client: Redis, generation: int | None = None) -> set[int]:
    """The layout versions of all heads that are there."""
    keys = [building_head_key(each, generation) if generation else head_key(each) for each in range(STRIPES)]
    return {parse_head(data).layout_version for data in await client.mget(keys) if data}


async def of_layout_3(client: Redis, store: Store, events: list[Event]) -> None:
    """A store of the layout without totals with these events in it, and heads of all stripes."""
    await move_horizon(store, 0)
    await Layouts(client, no_pause).downgrade(lambda _: None)
    await store.writer.read_heads()
    await store.apply(events)
    assert await versions(client) == {3}
    assert [key async for key in client.scan_iter("*totals")] == []


async def test_there_and_back(store: Store, client: Redis, settings: ConsumerSettings, capsys: Capture) -> None:
    """The totals are counted, and kept from then on; the way back leaves what the release before has written."""
    await of_layout_3(client, store, [*EVENTS])
    before = await everything(client)
    assert await store.reader.totals() is None
    result = await run(settings, capsys, "upgrade", "--json")
    assert (result.code, result.document) == (
        0,
        {"layout_version": 4, "changed_stripes": STRIPES, "unwritten_stripes": 0, "problems": []},
    )
    assert await sum_of_totals(client) == expected_totals(EVENTS)
    totals = await store.reader.totals()
    assert totals is not None
    assert (sum(totals.jobs.values()), totals.size_bytes) == (len(EVENTS), 7 * len(EVENTS))
    upgraded = await everything(client)
    assert "0 stripes changed" in (await run(settings, capsys, "upgrade")).out
    assert await everything(client) == upgraded
    assert (await run(settings, capsys, "downgrade", "--json")).document["changed_stripes"] == STRIPES
    assert await everything(client) == before
    assert "layout version 3: 0 stripes changed" in (await run(settings, capsys, "downgrade")).out


async def test_everything_goes_on_with_layout_3(
    store: Store, client: Redis, settings: ConsumerSettings, capsys: Capture
) -> None:
    """Batches, claims, sweeps, mends and the audit work as ever, and nobody makes totals unasked."""
    events: list[Event] = [event(job, start_time_ms=job * DAY_MS) for job in range(400)]
    await of_layout_3(client, store, events)
    await client.delete(f"{project_prefix('project')}n:42:0")
    assert (await mend_project(client, "project")).left == []
    await move_horizon(store, 100 * DAY_MS)
    assert (await sweep_all(client)).records == 100
    assert (await run(settings, capsys, "verify", "--json")).document["drifts"] == []
    await assert_equals_oracle(store, events[100:], WHOLE)
    assert await versions(client) == {3}
    assert [key async for key in client.scan_iter("*totals")] == []


async def test_a_new_stripe_of_an_older_store_is_as_old(store: Store, client: Redis) -> None:
    """While a store is of layout 3, and the release before may run beside, no head of layout 4 is made."""
    await of_layout_3(client, store, [])
    await client.delete(head_key(STRIPE))
    await store.writer.read_heads()
    await store.apply([event(1)])
    assert await versions(client) == {3}


async def test_upgrade_while_events_come_in(store: Store, client: Redis) -> None:
    """Each stripe is done, however busy; every answer and in the end the totals are those of the events."""
    rnd, events = Random(7), [event(job, project_id=f"project-{job % 200}") for job in range(600)]
    await of_layout_3(client, store, [*events])
    await Layouts(client, no_pause).downgrade(lambda _: None)
    done = asyncio.Event()

    async def write() -> None:
        while not done.is_set():
            more = [
                event(rnd.randrange(3_000), project_id=f"project-{rnd.randrange(260)}", sequence=rnd.randrange(99))
                for _ in range(40)
            ]
            await store.apply(more)
            events.extend(more)

    writing = asyncio.create_task(write())
    for conversion in (Layouts.upgrade, Layouts.downgrade, Layouts.upgrade):
        converted = await conversion(Layouts(client, no_pause), lambda _: None)
        assert (converted.changed, converted.problems) == (STRIPES, {})
    done.set()
    await writing
    assert await sum_of_totals(client) == expected_totals(events)
    await assert_equals_oracle(store, events, [(f"project-{number}", None, None, None) for number in range(0, 260, 7)])
    for stripe in range(STRIPES):
        assert (await audit_totals(client, stripe)).found == []


async def test_upgrade_that_is_broken_off_anywhere_is_gone_on_with(store: Store, client: Redis) -> None:
    """Whatever the last call was: the next run ends it, and what is written between the two is counted."""

    class BrokenOffError(Exception):
        """The command was killed."""

    for calls in (1, 2, 3, 4, 9, 40):
        await client.flushdb()
        store = Store(client)
        await of_layout_3(client, store, [*EVENTS])
        left = calls

        async def end() -> None:
            nonlocal left
            left -= 1
            if not left:
                raise BrokenOffError

        with pytest.raises(BrokenOffError):
            await Layouts(client, end).upgrade(lambda _: None)
        await assert_equals_oracle(store, EVENTS, WHOLE)
        more = [event(job, sequence=5, start_time_ms=9_000) for job in range(50)]
        await store.apply(more)
        assert (await Layouts(client, no_pause).upgrade(lambda _: None)).problems == {}
        assert await sum_of_totals(client) == expected_totals([*EVENTS, *more])


async def test_a_stripe_that_cannot_be_counted_is_named_and_done_later(
    store: Store, client: Redis, settings: ConsumerSettings, capsys: Capture
) -> None:
    """A damaged project: status 1, all other stripes are done, totals are absent; repaired, its stripe is done."""
    await of_layout_3(client, store, [*EVENTS])
    node = f"{project_prefix('project')}n:42:0"
    await client.set(node, b"\x00")
    result = await run(settings, capsys, "upgrade")
    assert (result.code, f"stripe {STRIPE} is not done: project project cannot be counted: FAULT" in result.out) == (
        1,
        True,
    )
    assert await stored_totals(client, STRIPE) is None
    assert await store.reader.totals() is None
    [drift] = [
        each
        for each in (await run(settings, capsys, "verify", "--json")).document["drifts"]
        if each["key"] == totals_key(STRIPE, 0)
    ]
    assert drift["mendable"]
    assert (await run(settings, capsys, "verify", "--repair")).code == 0
    assert await sum_of_totals(client) == expected_totals(EVENTS)
    assert (await run(settings, capsys, "upgrade")).code == 0


@pytest.mark.parametrize("back", [False, True])
async def test_a_rebuild_under_way_is_converted_too(store: Store, client: Redis, back: bool) -> None:
    """The generation that is being built goes on in the new layout, and has its totals when it is live."""
    generations = Generations(client)
    await of_layout_3(client, store, [])
    await fill(store.writer, store, 0)
    if back:
        await Layouts(client, no_pause).upgrade(lambda _: None)
    building = await build(client, store, generations)
    layouts = Layouts(client, no_pause)
    assert (await (layouts.downgrade if back else layouts.upgrade)(lambda _: None)).problems == {}
    assert await versions(client, building.generation) == await versions(client) == {3 if back else 4}
    await fill(BuildingWriter(client, building), store, 1)
    assert await generations.swap(building) == []
    await assert_equals_oracle(store, EVENTS, WHOLE)
    await generations.delete_retired()
    if back:
        assert [key async for key in client.scan_iter("*totals")] == []
        await layouts.upgrade(lambda _: None)
    assert await sum_of_totals(client) == expected_totals(EVENTS)


async def test_what_a_rebuild_has_left_in_part_does_not_hold_up_an_upgrade(store: Store, client: Redis) -> None:
    """No `verify --repair` comes to a generation that is not live: it is converted, and counted once it is live."""
    generations = Generations(client)
    await of_layout_3(client, store, [])
    await fill(store.writer, store, 0)
    building = await build(client, store, generations)
    await client.setrange(f"{project_prefix('project', 1)}m", 36, b"\1")
    converted = await Layouts(client, no_pause).upgrade(lambda _: None)
    assert (converted.changed, converted.problems) == (STRIPES, {})
    assert await sum_of_totals(client) == expected_totals(EVENTS)
    assert await generations.swap(building) == []
    assert await stored_totals(client, STRIPE) is None
    assert (await mend_project(client, "project")).left == []
    assert await sum_of_totals(client) == expected_totals(EVENTS)


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("is_begun", [False, True])
async def test_a_rebuild_that_begins_or_swaps_meanwhile_is_converted_too(
    store: Store, client: Redis, is_begun: bool, back: bool
) -> None:
    """At whatever instant of the conversion of a stripe: no head of the other layout is left, live or being built."""
    generations = Generations(client)
    for at in range(1, 9):  # calls of the conversion: some stripes have none of the later ones
        await client.flushdb()
        store = Store(client)
        await of_layout_3(client, store, [])
        await fill(store.writer, store, 0)
        if back:
            await Layouts(client, no_pause).upgrade(lambda _: None)
        before = await build(client, store, generations) if is_begun else await generations.look()
        calls = 0

        async def interfere(before: Building = before, at: int = at) -> None:
            nonlocal calls
            calls += 1
            if calls != at:
                return
            if is_begun:
                assert await generations.swap(before) == []
            else:
                await generations.begin(before)

        layouts = Layouts(client, interfere)
        converted = await (layouts.downgrade if back else layouts.upgrade)(lambda _: None)
        assert (calls >= at, converted.changed, converted.problems) == (True, STRIPES, {})
        left = await versions(client) | (await versions(client, 1))
        assert (at, left) == (at, {3 if back else 4})
        if not back:
            assert await sum_of_totals(client) == expected_totals(EVENTS)


async def test_a_generation_of_another_layout_brings_its_own(store: Store, client: Redis) -> None:
    """What the release before began to build, and this one swaps in, makes the store one of that layout."""
    generations = Generations(client)
    await fill(store.writer, store, 0)
    await generations.begin(await generations.look())
    for stripe in range(STRIPES):
        await client.setrange(building_head_key(stripe, 1), 0, b"\x03")
        await client.delete(totals_key(stripe, 1))
    building = await generations.look()
    await fill(BuildingWriter(client, building), store, 1)
    assert await generations.swap(building) == []
    assert await versions(client) == {3}
    assert await store.reader.totals() is None
    await assert_no_drift(client, EVENTS)
    await Layouts(client, no_pause).upgrade(lambda _: None)
    assert await sum_of_totals(client) == expected_totals(EVENTS)


async def test_upgrade_of_a_cluster(any_cluster_url: str) -> None:
    """Each stripe lies on its own shard, and is converted there."""
    client = create_writer_client(any_cluster_url, cluster=True)
    assert isinstance(client, RedisCluster)
    try:
        store, layouts = Store(client), Layouts(client, no_pause)
        await fill(store.writer, store, 0)
        assert await sum_of_totals(client) == expected_totals(EVENTS)
        assert (await layouts.downgrade(lambda _: None)).changed == STRIPES
        assert await store.reader.totals() is None
        assert (await layouts.upgrade(lambda _: None)).changed == STRIPES
        assert await sum_of_totals(client) == expected_totals(EVENTS)
        totals = await store.reader.totals()
        assert totals is not None
        assert sum(totals.jobs.values()) == len(EVENTS)
        await assert_equals_oracle(store, EVENTS, WHOLE)
    finally:
        await client.aclose()
