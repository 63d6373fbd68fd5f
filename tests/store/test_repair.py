"""Repair: what the audit finds is mended in one step; what the store cannot know is left, and named."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import pytest
from redis.asyncio import Redis

from service.events.event import JobDeletion
from service.store.audit.audit import audit_project
from service.store.audit.repair import repair_project
from service.store.errors import StoreUnavailableError
from service.store.layout.keys import head_key, stripe_of
from service.store.layout.tree import TOP_LEVEL
from service.store.redis.client import create_writer_client
from tests.oracle import Oracle
from tests.store import damages
from tests.store.damages import (
    EVENTS,
    FAR_MS,
    LEAF,
    META,
    MILLISECOND,
    NAMES,
    PREFIX,
    SHAPE,
    TIMES,
    TOP_NODE,
    shape_entry,
)
from tests.store.support import (
    NOON_MS,
    Event,
    Query,
    Store,
    assert_equals_oracle,
    event,
    everything,
    job_uuid,
    stored,
    stored_hash,
    stored_nodes,
)

Damage = Callable[[Redis], Awaitable[None]]
HEAD = head_key(stripe_of("project"))

QUERIES: list[Query] = [
    ("project", start, end, user)
    for start, end in [(None, None), (NOON_MS, NOON_MS + 1), (NOON_MS + 1, FAR_MS), (FAR_MS, None), (0, NOON_MS + 3)]
    for user in (None, "user0")
]


async def lose_inner_node(client: Redis) -> None:
    await client.delete(f"{PREFIX}n:12:{NOON_MS >> 12}")


async def lose_inner_nodes(client: Redis) -> None:
    await client.delete(*[f"{PREFIX}n:{level}:{NOON_MS >> level}" for level in (27, 18, 15, 3)])


async def lose_all_nodes(client: Redis) -> None:
    await client.delete(*[key async for key in client.scan_iter(f"{PREFIX}n:*")])


async def lose_all_nodes_but_the_lowest(client: Redis) -> None:
    keys = [bytes(key).decode() async for key in client.scan_iter(f"{PREFIX}n:*")]
    await client.delete(*[key for key in keys if ":n:0:" not in key])


async def lose_shape_wholly(client: Redis) -> None:
    await client.delete(SHAPE)


async def double_all(client: Redis) -> None:
    for damage in (damages.repeat_entry, damages.change_top, damages.lose_top, damages.lose_node, damages.miscount):
        await damage(client)


@pytest.mark.parametrize(
    "damage",
    [
        damages.move_record,
        damages.lose_entry,
        damages.repeat_entry,
        damages.crowd_leaf,
        damages.cut_leaf,
        damages.change_top,
        damages.change_bytes,
        damages.swap_rows,
        damages.change_millisecond,
        damages.lose_node,
        damages.lose_shape,
        damages.lose_top,
        damages.lose_top_in_shape,
        damages.repeat_shape,
        damages.add_shape,
        damages.miscount,
        lose_inner_node,
        lose_inner_nodes,
        lose_all_nodes,
        lose_all_nodes_but_the_lowest,
        lose_shape_wholly,
        double_all,
        *[damages.make_foreign(key) for key in (SHAPE, LEAF, TOP_NODE, MILLISECOND, damages.TOP_LEAF)],
        damages.make_foreign(f"{PREFIX}n:27:{(damages.ALONE_MS >> 27) ^ 1}"),  # where no job has ever been
        damages.make_foreign(f"{PREFIX}n:12:{NOON_MS >> 12}"),
        *[damages.rewrite(key, lambda _: b"") for key in (SHAPE, LEAF, TOP_NODE, MILLISECOND, damages.TOP_LEAF)],
        *[damages.rewrite(key, lambda data: b"?" + data) for key in (LEAF, TOP_NODE, MILLISECOND, damages.TOP_LEAF)],
        damages.rewrite(MILLISECOND, lambda node: b"L" + node[1:]),
        damages.rewrite(SHAPE, lambda shape: shape[:-1]),
        damages.rewrite(SHAPE, lambda shape: shape + shape_entry(99, 0) + shape_entry(42, 1 << 12) + b"xyz"),
    ],
)
async def test_damage_is_mended(store: Store, damage: Damage) -> None:
    """After a repair there is no drift, every answer equals a recount, and the next events go in."""
    client = await damages.make_project(store)
    await assert_equals_oracle(store, EVENTS, QUERIES)  # the reader remembers what it has read
    await damage(client)
    repair = await repair_project(client, "project")
    assert repair.found
    assert repair.left == []
    assert await audit_project(client, "project") == []
    await assert_equals_oracle(store, EVENTS, QUERIES)
    more = [event(f"job-{job}", user_id="user1", start_time_ms=NOON_MS, sequence=1) for job in range(0, 700, 3)]
    await store.apply(more)
    await assert_equals_oracle(store, [*EVENTS, *more], QUERIES)
    assert await audit_project(client, "project") == []


async def test_changed_record_is_taken_for_the_truth(store: Store) -> None:
    """The tree is made to say what the records say, in every answer."""
    client = await damages.make_project(store)
    await damages.change_record(client)
    repair = await repair_project(client, "project")
    assert ([drift.key for drift in repair.found], repair.left) == ([LEAF], [])
    assert (await store.body("project"))["total_cancelled_num"] == 1


@pytest.mark.parametrize(
    "damage",
    [
        damages.cut_record,
        damages.lose_name,
        damages.lose_time,
        damages.swap_times,
        damages.change_name,
        damages.change_user,
        damages.lose_meta,
        damages.lose_record,
        *[damages.make_foreign(key) for key in (META, NAMES, TIMES, f"{PREFIX}j:0", HEAD)],
        damages.rewrite(META, lambda meta: meta[:-1]),
        damages.rewrite_meta(hashes=7),
        damages.rewrite_meta(hashes=90),
        damages.rewrite_user(b"\x05user0\xff"),
        damages.rewrite_record(lambda record: record[:31] + b"\x06"),
    ],
)
async def test_what_the_store_does_not_know_is_left(store: Store, damage: Damage) -> None:
    """Damage of records and names is still there after a repair, and has no cause that could be mended.

    Beside it all is mended that can be, and nothing of it is undone.
    """
    client = await damages.make_project(store)
    await damage(client)
    before = await everything(client)
    repair = await repair_project(client, "project")
    assert repair.left
    assert all(drift.cause is None for drift in repair.left)
    assert await everything(client) == before


LOSSES = [
    damages.lose_record,
    damages.cut_record,
    damages.make_foreign(f"{PREFIX}j:0"),
    damages.rewrite_record(lambda record: record[:31] + b"\x06"),
]


@pytest.mark.parametrize("damage", LOSSES)
async def test_what_lost_records_counted_is_not_taken_out(store: Store, damage: Damage) -> None:
    """A job whose record is lost still counts: where records are lost they are not the truth of what is too much.

    What other jobs lack is mended all the same.
    """
    client = await damages.make_project(store)
    await damage(client)
    await damages.lose_entry(client)
    await damages.change_top(client)
    repair = await repair_project(client, "project")
    assert repair.left
    assert all(drift.cause is None for drift in repair.left)
    await assert_equals_oracle(store, EVENTS, QUERIES)
    assert await audit_project(client, "project") == repair.left


async def test_record_whose_own_hash_is_of_another_type_stays(store: Store) -> None:
    """There is nowhere to move it to, and it is not lost on the way."""
    client = await damages.make_project(store)
    await damages.move_record(client)
    await damages.make_foreign(f"{PREFIX}j:3")(client)
    records = await stored_hash(client, f"{PREFIX}j:4")
    repair = await repair_project(client, "project")
    assert all(drift.cause is None for drift in repair.left)
    assert await stored_hash(client, f"{PREFIX}j:4") == records


async def test_whole_project_is_left_alone(store: Store) -> None:
    """Where there is no drift nothing is written; an unknown project has none."""
    client = await damages.make_project(store)
    before = await everything(client)
    assert (await repair_project(client, "project")).found == []
    assert (await repair_project(client, "unknown")).found == []
    assert await everything(client) == before


async def test_later_record_stays_when_one_lies_in_two_hashes(store: Store) -> None:
    """An older copy of a record in a wrong hash is removed, and what the job contributes stays."""
    client = await damages.make_project(store)
    key, record = await damages.first_record(client, 3)
    await client.hset(f"{PREFIX}j:4", key, (0).to_bytes(4, "little") + bytes(7) + record[11:])
    repair = await repair_project(client, "project")
    assert repair.left == []
    assert (await stored_hash(client, f"{PREFIX}j:3"))[key] == record
    await assert_equals_oracle(store, EVENTS, QUERIES)


@pytest.mark.parametrize(("rival", "wins"), [(b"\x09", True), (b"\x01", False)])
async def test_rivals_of_one_version_in_two_hashes(store: Store, rival: bytes, wins: bool) -> None:
    """The greater size stays where all before it is equal, as when events come in."""
    client = await damages.make_project(store)
    key, record = await damages.first_record(client, 3)
    other = record[:18] + rival + record[19:]
    await client.hset(f"{PREFIX}j:4", key, other)
    assert (await repair_project(client, "project")).left == []
    assert (await stored_hash(client, f"{PREFIX}j:3"))[key] == (other if wins else record)
    assert key not in await stored_hash(client, f"{PREFIX}j:4")
    assert await audit_project(client, "project") == []


@pytest.mark.parametrize("damage", [damages.lose_top_in_shape, lose_shape_wholly])
async def test_readers_learn_the_mended_shape(store: Store, damage: Damage) -> None:
    """A reader that has learned the damaged shape, or refused to, does not go on with it."""
    client = await damages.make_project(store)
    await damage(client)
    damaged: list[object] = []
    for query in QUERIES:
        try:
            damaged.append(await store.body(*query))
        except StoreUnavailableError:
            damaged.append(None)
    assert damaged != [Oracle(EVENTS).answer(*query) for query in QUERIES]
    await repair_project(client, "project")
    await assert_equals_oracle(store, EVENTS, QUERIES)


@pytest.mark.parametrize("levels", [(12,), (12, 9)])
@pytest.mark.parametrize("jobs_left", [20, 600])
async def test_answers_stay_right_while_lost_nodes_are_mended(
    store: Store, monkeypatch: pytest.MonkeyPatch, levels: tuple[int, ...], jobs_left: int
) -> None:
    """Jobs that came into the place of lost nodes are not lost from any answer, not even between two steps."""
    client = await damages.make_project(store)
    leaving = [event(f"job-{job}", sequence=1, start_time_ms=FAR_MS) for job in range(jobs_left, 600)]
    await store.apply(leaving)
    await client.delete(*[f"{PREFIX}n:{level}:{NOON_MS >> level}" for level in levels])
    coming = [event(f"more-{job}", start_time_ms=NOON_MS + job) for job in range(5)]
    await store.apply(coming)
    events = [*EVENTS, *leaving, *coming]
    oracle, send = Oracle(events), client.execute_command
    whole: list[object] = []

    async def send_and_ask(*arguments: object, **options: object) -> object:
        reply = await send(*arguments, **options)  # type: ignore[no-untyped-call]
        if arguments[0] in {"EVAL", "EVALSHA"}:
            whole.append(await store.body("project"))
        return reply

    monkeypatch.setattr(client, "execute_command", send_and_ask)
    assert (await repair_project(client, "project")).left == []
    assert whole
    assert all(body == oracle.answer("project") for body in whole)
    await assert_equals_oracle(store, events, QUERIES)


async def test_lost_node_above_many_jobs(store: Store) -> None:
    """A node with more jobs below it than are put into place at once is made from what lies below, which stays."""
    events = [event(f"job-{job}", user_id=f"user{job % 3}", start_time_ms=NOON_MS + job) for job in range(2_500)]
    await store.apply(events)
    assert isinstance(store.client, Redis)
    nodes = await stored_nodes(store.client, "project")
    await store.client.delete(TOP_NODE, f"{PREFIX}n:15:{NOON_MS >> 15}")
    assert (await repair_project(store.client, "project")).left == []
    assert await stored_nodes(store.client, "project") == nodes
    await assert_equals_oracle(store, events, QUERIES)


@pytest.mark.parametrize("by", [-1, 1])
async def test_millisecond_of_many_jobs(store: Store, by: int) -> None:
    """A millisecond with more jobs than are read at one instant is judged and mended as any other."""
    events = [event(f"job-{job}") for job in range(2_500)]
    await store.apply(events)
    assert isinstance(store.client, Redis)
    row = bytearray(await stored(store.client, MILLISECOND))
    row[11] += by  # the lowest byte of its running jobs, in a wide row
    await store.client.set(MILLISECOND, bytes(row))
    repair = await repair_project(store.client, "project")
    assert [drift.what for drift in repair.found if drift.key == MILLISECOND] == [
        "has rows that are not the sum of its jobs"
    ]
    assert repair.left == []
    await assert_equals_oracle(store, events, QUERIES)


async def test_repair_that_is_overtaken_begins_anew(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch between the look at a project and the repair is not written over."""
    client = await damages.make_project(store)
    await damages.lose_entry(client)
    batches = [[event(f"new-{number}", start_time_ms=NOON_MS + 86_400_000)] for number in range(3)]
    events = [*EVENTS, *[each for batch in batches for each in batch]]
    send = client.execute_command

    async def send_after_a_batch(*arguments: object, **options: object) -> object:
        if arguments[0] == "EVALSHA" and batches:
            await store.apply(batches.pop())
        return await send(*arguments, **options)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(client, "execute_command", send_after_a_batch)
    assert (await repair_project(client, "project")).left == []
    assert batches == []
    await assert_equals_oracle(store, events, QUERIES)


async def test_repair_without_memory_writes_nothing(store: Store) -> None:
    """A Redis whose memory is used up is left as it is, with an error; it is mended once there is room."""
    client = await damages.make_project(store)
    await damages.lose_entry(client)
    await damages.change_top(client)
    before = await everything(client)
    await client.config_set("maxmemory", "1")
    try:
        with pytest.raises(StoreUnavailableError, match="maxmemory"):
            await repair_project(client, "project")
    finally:
        await client.config_set("maxmemory", "0")
    assert await everything(client) == before
    assert (await repair_project(client, "project")).left == []
    await assert_equals_oracle(store, EVENTS, QUERIES)


async def test_repair_on_a_cluster(any_cluster_url: str) -> None:
    """All that is read and written of a project lies in one slot."""
    client = create_writer_client(any_cluster_url, cluster=True)
    async with aclosing(client):
        store = Store(client)
        await store.apply(EVENTS)
        await client.set(LEAF, b"L")
        await client.delete(TOP_NODE)
        repair = await repair_project(client, "project")
        await assert_equals_oracle(store, EVENTS, QUERIES)
    assert (len(repair.found) >= 3, repair.left) == (True, [])


async def test_repair_leaves_an_id_of_its_own(store: Store) -> None:
    """Answers that were remembered under the write before are not given again."""
    client = await damages.make_project(store)
    before = await stored(client, META)
    await damages.change_top(client)
    assert (await store.body("project"))["total_launching_num"] == 255
    await repair_project(client, "project")
    after = await stored(client, META)
    assert (after[:8] != before[:8], after[8:]) == (True, before[8:])
    await assert_equals_oracle(store, EVENTS, QUERIES)


async def test_repair_under_writes_loses_nothing(store: Store) -> None:
    """A project that is damaged and mended while events come in is in the end what a recount says."""
    client = await damages.make_project(store)
    await damages.lose_entry(client)
    await damages.lose_top(client)
    await damages.change_top(client)
    events = list(EVENTS)
    is_mended = asyncio.Event()

    async def write() -> None:
        number = 0
        while not is_mended.is_set():
            some = [event(f"new-{number + i}", user_id=f"user{i}", start_time_ms=NOON_MS + i * 50) for i in range(9)]
            events.extend(some)
            number += len(some) if number % 2 else 1
            await store.apply(some)

    writing = asyncio.create_task(write())
    repair = await repair_project(client, "project")
    is_mended.set()
    await writing
    assert len(repair.found) >= 3
    assert repair.left == []
    assert await audit_project(client, "project") == []
    await assert_equals_oracle(store, events, QUERIES)


async def test_answers_are_never_half_mended(store: Store) -> None:
    """While a leaf with all above it is mended every answer is that of before or that of after."""
    client = await damages.make_project(store)
    await client.set(LEAF, b"L")
    for level in (36, 33, 30, 42):  # the damage has gone up, as if the entry had never been counted
        node = f"{PREFIX}n:{level}:{damages.ALONE_MS >> level}"
        row = bytearray(await stored(client, node))
        width, at = (19, 1) if row[:1] == b"r" else (40, 1)
        positions = [p for p in range(1, len(row), width) if row[p : p + 6] == damages.USER0]
        row[positions[0] + 6 + (at if width == 19 else 4)] -= 1
        await client.set(node, bytes(row))
    seen: set[tuple[object, object]] = set()
    is_mended = asyncio.Event()

    async def read() -> None:
        while not is_mended.is_set():
            body = await store.body("project")
            seen.add((body["total_running_num"], body["total_input_size"]))

    reading = asyncio.create_task(read())
    await repair_project(client, "project")
    is_mended.set()
    await reading
    assert seen <= {(601, 602 * 7), (602, 602 * 7)}
    await assert_equals_oracle(store, EVENTS, QUERIES)


@pytest.mark.parametrize("others", [0, 200])
async def test_a_topmost_leaf_without_jobs_is_listed_again(store: Store, client: Redis, others: int) -> None:
    """No record leads to it; the next job that starts there would else be in no answer, as nothing listed its leaf."""
    far_ms = 1 << TOP_LEVEL
    events: list[Event] = [event(number, start_time_ms=NOON_MS + number) for number in range(others)]
    events += [event(1_000, start_time_ms=far_ms), JobDeletion("project", job_uuid(1_000))]
    for each in events:
        await store.apply([each])
    await client.delete(SHAPE)
    assert (await repair_project(client, "project")).left == []
    await assert_equals_oracle(store, events, QUERIES)
    events.append(event(1_001, start_time_ms=far_ms))
    await store.apply(events[-1:])
    assert await audit_project(client, "project") == []
    await assert_equals_oracle(store, events, QUERIES)
