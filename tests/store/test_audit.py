"""The audit sees each kind of damage, and says where it is."""

from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from service.store.audit import audit_project
from service.store.contract import LayoutError
from service.store.cover import LOWEST_LISTED_LEVEL, TOP_LEVEL, Shape
from service.store.layout import LISTED_LEAF, head_key, parse_meta, parse_shape, project_prefix, stripe_of, user_key
from tests.store.support import NOON_MS, Store, event, stored, stored_hash

PREFIX = project_prefix("project")
META, SHAPE, NAMES, TIMES = (PREFIX + name for name in "msut")
TOP_NODE = f"{PREFIX}n:42:0"
FEW_MS = 4
ALONE_MS = NOON_MS + 86_400_000
FAR_MS = 5 << TOP_LEVEL
LEAF = f"{PREFIX}n:27:{ALONE_MS >> 27}"
TOP_LEAF = f"{PREFIX}n:42:5"
MILLISECOND = f"{PREFIX}n:0:{NOON_MS}"


@pytest.fixture
async def damaged(store: Store) -> Redis:
    """A project of two users with two topmost nodes, inner nodes, leaves and single milliseconds, whole as yet."""
    crowd = [event(f"job-{job}", user_id=f"user{job % 2}", start_time_ms=NOON_MS + job % FEW_MS) for job in range(600)]
    await store.apply([event("far", user_id="user1", start_time_ms=FAR_MS)])  # the first that the shape lists
    await store.apply([*crowd, event("alone", user_id="user0", start_time_ms=ALONE_MS)])
    assert isinstance(store.client, Redis)
    assert await audit_project(store.client, "project") == []
    return store.client


def shape_entry(flagged_level: int, index: int) -> bytes:
    """An entry of a shape as it is stored."""
    return bytes([flagged_level]) + index.to_bytes(7, "little")


async def first_record(client: Redis, number: int) -> tuple[bytes, bytes]:
    """Key and value of some record in a hash."""
    return next(iter((await stored_hash(client, f"{PREFIX}j:{number}")).items()))


async def lose_record(client: Redis) -> None:
    key, _ = await first_record(client, 3)
    await client.hdel(f"{PREFIX}j:3", key)


async def move_record(client: Redis) -> None:
    key, record = await first_record(client, 3)
    await client.hdel(f"{PREFIX}j:3", key)
    await client.hset(f"{PREFIX}j:4", key, record)


async def cut_record(client: Redis) -> None:
    key, record = await first_record(client, 3)
    await client.hset(f"{PREFIX}j:3", key, record[:-1])


async def change_record(client: Redis) -> None:
    meta = parse_meta(await stored(client, META))
    for number in range(meta.hashes):
        for key, record in (await stored_hash(client, f"{PREFIX}j:{number}")).items():
            if int.from_bytes(record[11:18], "little") == ALONE_MS:
                await client.hset(f"{PREFIX}j:{number}", key, record[:31] + b"\x05")


async def lose_entry(client: Redis) -> None:
    await client.set(LEAF, b"L")


async def repeat_entry(client: Redis) -> None:
    leaf = await stored(client, LEAF)
    await client.set(LEAF, leaf + leaf[1:])


async def crowd_leaf(client: Redis) -> None:
    leaf = await stored(client, LEAF)
    await client.set(LEAF, b"L" + leaf[1:] * 129)


async def cut_leaf(client: Redis) -> None:
    await client.append(LEAF, b"x")


async def change_top(client: Redis) -> None:
    await client.setrange(TOP_NODE, 7, b"\xff")


async def change_bytes(client: Redis) -> None:
    await client.setrange(TOP_NODE, 40, b"\x01")


async def swap_rows(client: Redis) -> None:
    top = await stored(client, TOP_NODE)
    await client.set(TOP_NODE, top[:1] + top[41:] + top[1:41])


async def change_millisecond(client: Redis) -> None:
    await client.setrange(MILLISECOND, 7, b"\xff")


async def lose_node(client: Redis) -> None:
    await client.delete(MILLISECOND)


async def lose_shape(client: Redis) -> None:
    await client.set(SHAPE, (await stored(client, SHAPE))[:-8])


async def lose_top(client: Redis) -> None:
    await client.delete(TOP_LEAF)


async def lose_top_in_shape(client: Redis) -> None:
    await client.set(SHAPE, (await stored(client, SHAPE))[8:])


async def repeat_shape(client: Redis) -> None:
    await client.append(SHAPE, (await stored(client, SHAPE))[-8:])


async def add_shape(client: Redis) -> None:
    await client.append(SHAPE, b"\x03" + bytes(7))


async def lose_name(client: Redis) -> None:
    await client.hdel(NAMES, user_key("user0"))


async def lose_time(client: Redis) -> None:
    await client.setrange(TIMES, 0, bytes(6))


async def swap_times(client: Redis) -> None:
    times = await stored(client, TIMES)
    await client.set(TIMES, times[19:] + times[:19])


async def change_name(client: Redis) -> None:
    await client.hset(NAMES, user_key("user0"), b"\x05user0other")


async def change_user(client: Redis) -> None:
    await client.hset(NAMES, user_key("user0"), b"\x05user2name")


async def miscount(client: Redis) -> None:
    await client.setrange(META, 24, b"\x01")


async def lose_meta(client: Redis) -> None:
    await client.delete(META)


@pytest.mark.parametrize(
    ("damage", "key", "what"),
    [
        (lose_record, META, "says 602 records, 601 are there"),
        (move_record, f"{PREFIX}j:4", "belongs into hash 3"),
        (cut_record, f"{PREFIX}j:3", "has a record of 31 bytes"),
        (change_record, LEAF, "lacks 1 contributions of its jobs, has 1 of none"),
        (lose_entry, LEAF, "lacks 1 contributions of its jobs, has 0 of none"),
        (repeat_entry, LEAF, "lacks 0 contributions of its jobs, has 1 of none"),
        (crowd_leaf, LEAF, "more than 128 jobs"),
        (cut_leaf, LEAF, "is not a node of level 27"),
        (change_top, TOP_NODE, "has rows that are not the sum of what lies below, of 1 users"),
        (change_bytes, TOP_NODE, "has rows that are not the sum of what lies below, of 1 users"),
        (swap_rows, TOP_NODE, "has rows that are not sorted"),
        (change_millisecond, MILLISECOND, "has rows that are not the sum of its jobs"),
        (lose_node, MILLISECOND, "has rows that are not the sum of its jobs"),
        (lose_shape, SHAPE, "lacks"),
        (lose_top, SHAPE, "lists node n:42:5"),
        (lose_top, TOP_LEAF, "lacks 1 contributions of its jobs, has 0 of none"),
        (lose_top_in_shape, TOP_LEAF, "lacks 1 contributions of its jobs, has 0 of none"),
        (repeat_shape, SHAPE, "lists a node twice"),
        (add_shape, SHAPE, "lists inner node n:3:0"),
        (lose_name, NAMES, "lacks user"),
        (lose_time, TIMES, "lacks user"),
        (swap_times, TIMES, "is not sorted"),
        (change_name, TIMES, "has another name of user user0 than u"),
        (change_user, NAMES, "has user user2 under the key"),
        (miscount, META, "says"),
        (lose_meta, META, "is missing"),
    ],
)
async def test_damage_is_found(damaged: Redis, damage: Callable[[Redis], Awaitable[None]], key: str, what: str) -> None:
    """Whatever is lost, moved, repeated or changed, the audit names the key and the damage."""
    await damage(damaged)
    drifts = await audit_project(damaged, "project")
    assert [drift for drift in drifts if drift.key == key and what in drift.what], drifts
    assert {drift.project_id for drift in drifts} == {"project"}


async def test_inner_node_that_the_shape_lost_is_still_walked(damaged: Redis) -> None:
    """The audit goes down from a topmost node by what is there: with that listed alone every inner node is reported."""
    shape = Shape.of(parse_shape(await stored(damaged, SHAPE)))
    await damaged.set(SHAPE, shape_entry(TOP_LEVEL + LISTED_LEAF, 0))
    drifts = await audit_project(damaged, "project")
    assert len([drift for drift in drifts if "lacks inner node" in drift.what]) == len(shape.inner)


async def test_topmost_nodes_without_a_shape(damaged: Redis) -> None:
    """With no shape at all no query reaches a job: of each topmost node all are reported as lacking."""
    await damaged.delete(SHAPE)
    drifts = [(drift.key, drift.what) for drift in await audit_project(damaged, "project")]
    assert (TOP_NODE, "lacks 601 contributions of its jobs, has 0 of none") in drifts
    assert (TOP_LEAF, "lacks 1 contributions of its jobs, has 0 of none") in drifts


async def test_node_without_an_inner_node_above_it(damaged: Redis) -> None:
    """A node that no query would reach is reported."""
    index = 99 << TOP_LEVEL - LOWEST_LISTED_LEVEL
    await damaged.append(SHAPE, shape_entry(LOWEST_LISTED_LEVEL + LISTED_LEAF, index))
    await damaged.set(f"{PREFIX}n:36:{index}", b"L")
    drifts = await audit_project(damaged, "project")
    assert [drift.what for drift in drifts] == ["has no inner node above it at n:42:99"]


async def test_project_that_nobody_wrote(store: Store) -> None:
    """An unknown project has no drift."""
    assert await audit_project(store.client, "unknown") == []


async def test_store_of_another_layout_is_not_audited(damaged: Redis) -> None:
    """What another version wrote cannot be judged."""
    await damaged.setrange(head_key(stripe_of("project")), 0, b"\x63")
    with pytest.raises(LayoutError, match="layout version 99"):
        await audit_project(damaged, "project")
