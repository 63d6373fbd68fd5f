"""Totals: what all projects of a stripe count together is kept with each write, and equals a recount of the events."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from service.events.event import MAX_SIZE_BYTES, JobDeletion, JobStatus
from service.store.audit.counting import Counting
from service.store.audit.findings import WrongMembers
from service.store.audit.repair import Repair
from service.store.audit.repair_lists import mend_list
from service.store.audit.totals import audit_totals
from service.store.audit.unfinished import mend_project
from service.store.generations import Generations
from service.store.layout.keys import project_prefix, projects_key, stripe_of, totals_key
from service.store.layout.totals import Totals, parse_totals
from service.store.redis.views import read_head
from tests.store.histories import History, heavy_histories, histories
from tests.store.support import Event, Store, event, stored, stored_hash
from tests.store.test_generations import EVENTS, build, fill
from tests.store.test_retention import DAY_MS, move_horizon, no_pause, sweep_all
from tests.store.totals import expected_totals, stored_totals, sum_of_totals

STRIPE = stripe_of("project")
KEY = totals_key(STRIPE, 0)
NODE = f"{project_prefix('project')}n:42:0"
BESIDE = [name for name in (f"beside-{number}" for number in range(60_000)) if stripe_of(name) == STRIPE]


@settings(max_examples=50)
@given(st.one_of(histories(), heavy_histories()), st.integers(0, 2**32))
async def test_totals_equal_a_recount(client: Redis, history: History, seed: int) -> None:
    """After each batch, with corrections, deletions and splits; a count from the tree says the same."""
    rnd = Random(seed)
    await client.flushdb()
    store, applied = Store(client), list[Event]()
    for batch in history.batches:
        await store.apply(batch)
        applied += batch
        assert await sum_of_totals(client) == expected_totals(applied)
        if batch:
            assert await audit_totals(client, stripe_of(rnd.choice(batch).project_id)) == Repair([], [])
    assert await sum_of_totals(client) == expected_totals(applied)


@settings(max_examples=12)
@given(histories(), st.integers(0, 2**32))
async def test_a_count_goes_on_while_projects_are_written(client: Redis, history: History, seed: int) -> None:
    """Between any two calls of a count anybody may write, and begin projects on either side of it."""
    rnd = Random(seed)
    await client.flushdb()
    store, events = Store(client), list[Event]()
    events += [event(job, project_id=BESIDE[job % 8]) for job in range(20)]
    await store.apply(events)
    batches = [list(batch) for batch in history.batches]

    async def write() -> None:
        if not batches or rnd.random() < 0.3:
            return
        of_stripe: list[Event] = [
            JobDeletion(BESIDE[rnd.randrange(30)], each.job_id)
            if isinstance(each, JobDeletion)
            else event(each.job_id, project_id=rnd.choice(BESIDE[:30]), user_id=each.user_id, sequence=each.sequence)
            for each in batches.pop()
        ]
        await store.apply(of_stripe)
        events.extend(of_stripe)

    counting = Counting(client, STRIPE, await read_head(client, STRIPE), write)
    counted, said = await counting.count(is_repair=False)
    assert counted == said
    await client.setrange(KEY, 0, b"\0")
    counted, said = await counting.count(is_repair=False)
    assert said is None
    batches.clear()
    assert await sum_of_totals(client) == expected_totals(events)
    assert await audit_totals(client, STRIPE) == Repair([], [])


async def test_projects_that_come_beside_a_list_that_was_read_are_counted(client: Redis, store: Store) -> None:
    """A project that is begun between those that a count is about to pass is not passed over."""
    names = sorted(BESIDE[:40])
    events = [event(job, project_id=name) for job, name in enumerate(names[1::2])]
    await store.apply(events)
    await client.delete(KEY)
    late = [event(job, project_id=name) for job, name in enumerate(names[::2])]
    calls = 0

    async def write() -> None:
        nonlocal calls
        calls += 1
        if calls in (1, 2):  # after the list was read, and again after the first call
            half = late[: len(late) // 2] if calls == 1 else late[len(late) // 2 :]
            await store.apply(half)
            events.extend(half)

    counting = Counting(client, STRIPE, await read_head(client, STRIPE), write)
    assert await counting.count(is_repair=False) == (expected_totals(events), None)
    assert await sum_of_totals(client) == expected_totals(events)


async def test_a_count_that_was_broken_off_is_gone_on_with(client: Redis, store: Store) -> None:
    """Whoever counts next finishes it, whatever was written in between; the totals stay known meanwhile."""
    events: list[Event] = [event(job, project_id=BESIDE[job % 600], user_id=f"user{job % 7}") for job in range(1_200)]
    await store.apply(events)

    class BrokenOffError(Exception):
        """The process that counts ends."""

    calls = 0

    async def end_after_three() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise BrokenOffError

    head = await read_head(client, STRIPE)
    with pytest.raises(BrokenOffError):
        await Counting(client, STRIPE, head, end_after_three).count(is_repair=False)
    assert parse_totals(await stored(client, KEY)).cursor == sorted(name.encode() for name in BESIDE[:600])[499]
    events += [event(job, project_id=BESIDE[job % 600], status=JobStatus.FAILED, sequence=1) for job in range(900)]
    events += [event("new", project_id=name) for name in BESIDE[600:700]]
    await store.apply(events[1_200:])
    assert await stored_totals(client, STRIPE) == expected_totals(events)
    expected = expected_totals(events)
    assert await Counting(client, STRIPE, head, no_pause).count(is_repair=False) == (expected, expected)
    assert parse_totals(await stored(client, KEY)).cursor is None


@pytest.mark.parametrize("how", ["ended", "given up"])
async def test_a_count_that_others_end_or_give_up_passes_over_no_project(client: Redis, store: Store, how: str) -> None:
    """Two processes count a stripe, or a project is mended meanwhile: the count begins anew, from its first project."""
    events = [event(job, project_id=BESIDE[job % 700]) for job in range(1_400)]
    await store.apply(events)
    calls = 0

    async def interfere() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:  # 500 projects have been counted
            if how == "ended":
                assert await audit_totals(client, STRIPE, is_repair=True) == Repair([], [])
            else:
                await client.setrange(KEY, 0, b"\0")

    assert (await audit_totals(client, STRIPE, interfere, is_repair=True)).left == []
    assert calls > 2
    assert await sum_of_totals(client) == expected_totals(events)


async def test_sums_beyond_64_bits_are_exact(client: Redis, store: Store) -> None:
    """Bytes of input have 128 bits, kept by writes and in a count; they fall again with deletions."""
    events: list[Event] = [
        event(job, project_id=BESIDE[job % 2], user_id=f"user{job % 40}", input_size_bytes=MAX_SIZE_BYTES - job)
        for job in range(6_000)
    ]
    await store.apply(events)
    assert expected_totals(events).size_bytes > 2**65
    assert await sum_of_totals(client) == expected_totals(events)
    assert await audit_totals(client, STRIPE) == Repair([], [])
    events += [JobDeletion(BESIDE[job % 2], each.job_id) for job, each in enumerate(events[:4_000])]
    await store.apply(events[6_000:])
    assert await sum_of_totals(client) == expected_totals(events)
    assert await audit_totals(client, STRIPE) == Repair([], [])


async def test_what_a_sweep_takes_out_no_longer_counts(client: Redis, store: Store) -> None:
    """Jobs before the horizon count until the sweep has been there; then the totals are those of the rest."""
    events = [event(job, project_id=BESIDE[job % 3], start_time_ms=job * DAY_MS // 10) for job in range(900)]
    await store.apply(events)
    await move_horizon(store, 30 * DAY_MS)
    assert await sum_of_totals(client) == expected_totals(events)
    await sweep_all(client)
    assert await sum_of_totals(client) == expected_totals(events, 30 * DAY_MS)
    assert await audit_totals(client, STRIPE) == Repair([], [])


async def test_a_generation_has_totals_of_its_own(client: Redis, store: Store) -> None:
    """A rebuild counts beside the live totals; with the swap its own are the stripe's, and the former ones go."""
    generations = Generations(client)
    await store.apply([*EVENTS[:7], event("surplus", project_id="gone")])
    await client.setrange(totals_key(STRIPE, 0), 0, b"\0")
    await fill(store.writer, store, 0)
    building = await build(client, store, generations)
    assert await generations.swap(building) == []
    assert await sum_of_totals(client) == expected_totals(EVENTS)
    await generations.delete_retired()
    assert [key async for key in client.scan_iter("{s[0-9][0-9]}:totals")] == []
    assert await audit_totals(client, STRIPE) == Repair([], [])


@pytest.mark.parametrize("value", [None, b"", b"\0" * 65, b"\x01" * 64, b"\x01" + b"\xff" * 64, b"\x02" * 70, []])
async def test_damaged_totals_are_unknown_or_found_and_counted_anew(
    client: Redis, store: Store, value: bytes | list[str] | None
) -> None:
    """Whatever lies under the key: writes go on, the audit finds it, and a repair counts what there is."""
    events = [event(job, project_id=BESIDE[job % 5]) for job in range(50)]
    await store.apply(events[:30])
    await client.delete(KEY)
    if isinstance(value, bytes):
        await client.set(KEY, value)
    elif value is not None:
        await client.rpush(KEY, "x")
    await store.apply(events[30:])
    [drift] = (await audit_totals(client, STRIPE)).left
    assert drift.key == KEY
    assert (await audit_totals(client, STRIPE, is_repair=True)).left == []
    assert await sum_of_totals(client) == expected_totals(events)


async def test_wrong_totals_are_found_and_mended(client: Redis, store: Store) -> None:
    """Numbers of another hand: the audit leaves them alone and says both sums, a repair replaces them."""
    await store.apply([event(job, project_id=BESIDE[job % 5]) for job in range(50)])
    await client.setrange(KEY, 9, b"\x33")
    [drift] = (await audit_totals(client, STRIPE)).left
    assert drift.what.startswith("says 0 LAUNCHING, 51 RUNNING, ")
    assert (await audit_totals(client, STRIPE)).left == [drift]
    repair = await audit_totals(client, STRIPE, is_repair=True)
    assert (repair.found, repair.left) == ([drift], [])
    assert await audit_totals(client, STRIPE) == Repair([], [])


async def test_a_project_that_is_mended_is_counted_anew(client: Redis, store: Store) -> None:
    """Whatever was damaged in it, the totals are those of what it is mended to."""
    events = [event(job, user_id=f"user{job % 3}") for job in range(300)]
    await store.apply(events)
    await client.setrange(NODE, 9, b"\x07")
    assert (await mend_project(client, "project")).left == []
    assert await sum_of_totals(client) == expected_totals(events)
    await client.delete(NODE)
    [unknown] = [each async for each in client.scan_iter(KEY)]
    await client.setrange(unknown, 0, b"\0")
    assert (await audit_totals(client, STRIPE, is_repair=True)).left[0].cause is None
    assert await stored_totals(client, STRIPE) is None
    assert (await mend_project(client, "project")).left == []
    assert await sum_of_totals(client) == expected_totals(events)


async def test_a_repair_that_changes_what_counts_changes_the_totals(client: Redis, store: Store) -> None:
    """A record of another hand is taken for the truth: its job counts as the record says, in the totals as well."""
    await store.apply([event(job) for job in range(20)])
    key, record = next(iter((await stored_hash(client, f"{project_prefix('project')}j:0")).items()))
    await client.hset(f"{project_prefix('project')}j:0", key, record[:-1] + bytes([JobStatus.FAILED]))
    assert (await mend_project(client, "project")).left == []
    assert await sum_of_totals(client) == Totals((0, 19, 0, 1, 0, 0), 20 * 7)
    assert await audit_totals(client, STRIPE) == Repair([], [])


async def test_a_stripe_without_projects_counts_nothing(client: Redis, store: Store) -> None:
    """A head that is made without an event has totals of zeros beside it; totals that are lost are not known."""
    await move_horizon(store, 0)
    assert await sum_of_totals(client) == Totals()
    assert await client.exists(KEY)
    await client.delete(KEY)
    await store.apply([event(1)])
    assert await stored_totals(client, STRIPE) is None
    await client.delete(projects_key(STRIPE, 0))
    [drift] = (await audit_totals(client, STRIPE)).left
    assert (drift.key, drift.what) == (KEY, "is not known")
    await client.sadd(projects_key(STRIPE, 0), "project")
    assert (await audit_totals(client, STRIPE, is_repair=True)).left == []
    assert await sum_of_totals(client) == expected_totals([event(1)])
    assert await client.exists(projects_key(STRIPE, 0))


async def test_totals_are_not_known_while_the_list_of_projects_is_made_anew(client: Redis, store: Store) -> None:
    """The list is gone until all keys were looked at: what is written meanwhile is not taken for all there is."""
    events = [event(job, project_id=BESIDE[job % 5]) for job in range(50)]
    await store.apply(events)
    list_key = projects_key(STRIPE, 0)
    await client.delete(list_key)
    await client.set(list_key, "foreign")
    await mend_list(client, WrongMembers(list_key, is_foreign=True))
    events.append(event("new", project_id=BESIDE[0]))
    await store.apply(events[50:])
    assert await stored_totals(client, STRIPE) is None
    projects = {name.encode() for name in BESIDE[:5]}
    await mend_list(client, WrongMembers(list_key, frozenset(name.decode() for name in projects)))
    assert await client.smembers(list_key) == projects
    assert (await audit_totals(client, STRIPE, is_repair=True)).left == []
    assert await sum_of_totals(client) == expected_totals(events)


async def test_a_list_of_many_projects_is_mended(client: Redis) -> None:
    """More than a script can hand to one command."""
    names = frozenset(f"project-{number}" for number in range(9_000))
    await mend_list(client, WrongMembers(projects_key(STRIPE, 0), names, is_foreign=True))
    assert await client.scard(projects_key(STRIPE, 0)) == len(names)
