"""The audit sees each kind of damage, and says where it is."""

from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from service.store.audit.audit import audit_project
from service.store.errors import LayoutError
from service.store.layout.keys import head_key, stripe_of
from service.store.layout.projects import LISTED_LEAF, parse_shape
from service.store.layout.tree import LOWEST_LISTED_LEVEL, TOP_LEVEL, Shape
from tests.store import damages
from tests.store.damages import (
    ALONE_MS,
    LEAF,
    META,
    MILLISECOND,
    NAMES,
    PREFIX,
    SHAPE,
    TIMES,
    TOP_LEAF,
    TOP_NODE,
    shape_entry,
)
from tests.store.support import Store, stored

HEAD = head_key(stripe_of("project"))
EMPTY_NODE = f"{PREFIX}n:27:{(ALONE_MS >> 27) ^ 1}"  # no job has ever been there


@pytest.fixture
async def damaged(store: Store) -> Redis:
    """A project that is whole as yet."""
    client = await damages.make_project(store)
    assert await audit_project(client, "project") == []
    return client


@pytest.mark.parametrize(
    ("damage", "key", "what"),
    [
        (damages.lose_record, META, "says 602 records, 601 are there"),
        (damages.move_record, f"{PREFIX}j:4", "belongs into hash 3"),
        (damages.cut_record, f"{PREFIX}j:3", "has a record of 31 bytes"),
        (damages.change_record, LEAF, "lacks 1 contributions of its jobs, has 1 of none"),
        (damages.lose_entry, LEAF, "lacks 1 contributions of its jobs, has 0 of none"),
        (damages.repeat_entry, LEAF, "lacks 0 contributions of its jobs, has 1 of none"),
        (damages.crowd_leaf, LEAF, "more than 128 jobs"),
        (damages.cut_leaf, LEAF, "is not a node of level 27"),
        (damages.change_top, TOP_NODE, "has rows that are not the sum of what lies below, of 1 users"),
        (damages.change_bytes, TOP_NODE, "has rows that are not the sum of what lies below, of 1 users"),
        (damages.swap_rows, TOP_NODE, "has rows that are not sorted"),
        (damages.change_millisecond, MILLISECOND, "has rows that are not the sum of its jobs"),
        (damages.lose_node, MILLISECOND, "has rows that are not the sum of its jobs"),
        (damages.lose_shape, SHAPE, "lacks"),
        (damages.lose_top, SHAPE, "lists node n:42:5"),
        (damages.lose_top, TOP_LEAF, "lacks 1 contributions of its jobs, has 0 of none"),
        (damages.lose_top_in_shape, SHAPE, "lacks node n:42:5"),
        (damages.repeat_shape, SHAPE, "lists a node twice"),
        (damages.add_shape, SHAPE, "lists inner node n:3:0"),
        (damages.lose_name, NAMES, "lacks user"),
        (damages.lose_time, TIMES, "lacks user"),
        (damages.swap_times, TIMES, "is not sorted"),
        (damages.change_name, TIMES, "has another name of user user0 than u"),
        (damages.change_user, NAMES, "has user user2 under the key"),
        (damages.miscount, META, "says"),
        (damages.lose_meta, META, "is missing"),
        (damages.make_foreign(META), META, "is no string"),
        (damages.make_foreign(SHAPE), SHAPE, "is a list"),
        (damages.make_foreign(NAMES), NAMES, "is no hash"),
        (damages.make_foreign(TIMES), TIMES, "is a list"),
        (damages.make_foreign(f"{PREFIX}j:0"), f"{PREFIX}j:0", "is no hash"),
        (damages.make_foreign(LEAF), LEAF, "is a list"),
        (damages.make_foreign(TOP_NODE), TOP_NODE, "is a list"),
        (damages.make_foreign(EMPTY_NODE), EMPTY_NODE, "is a list"),
        (damages.make_foreign(HEAD), HEAD, "is no string"),
        (damages.rewrite(HEAD, lambda head: head[:-1]), HEAD, "is no head"),
        (damages.rewrite(HEAD, lambda head: head + b"x"), HEAD, "is no head"),
        (damages.rewrite(HEAD, lambda head: head[:3]), HEAD, "is no head: 3 bytes"),
        (damages.rewrite(META, lambda meta: meta[:-1]), META, "is no meta"),
        (damages.rewrite(META, lambda meta: meta + b"x"), META, "is no meta"),
        (damages.rewrite(META, lambda _: b""), META, "is no meta: 0 bytes"),
        (damages.rewrite_meta(hashes=0), META, "says 0 record hashes"),
        (damages.rewrite_meta(hashes=7), META, "says 7 record hashes, and there are more"),
        (damages.rewrite_meta(hashes=90), META, "says 90 record hashes, and most records lie otherwise"),
        (damages.rewrite_meta(hashes=2**32 - 1), META, "says 4294967295 record hashes"),
        (damages.rewrite_meta(records=2**64 - 1), META, "602 are there"),
        (damages.rewrite(SHAPE, lambda shape: shape[:-1]), SHAPE, "which is no number of entries"),
        (damages.rewrite(SHAPE, lambda shape: shape + shape_entry(99, 0)), SHAPE, "lists a node of level 99"),
        (damages.rewrite(SHAPE, lambda shape: shape + shape_entry(42, 1 << 12)), SHAPE, "lists a node of level 42"),
        (damages.rewrite(SHAPE, lambda shape: shape + shape_entry(0, 0)), SHAPE, "lists a node of level 0"),
        (damages.rewrite(LEAF, lambda _: b""), LEAF, "is not a node"),
        (damages.rewrite(LEAF, lambda leaf: b"?" + leaf[1:]), LEAF, "is not a node"),
        (damages.rewrite(MILLISECOND, lambda node: b"L" + node[1:]), MILLISECOND, "is not a node"),
        (damages.rewrite_user(b""), NAMES, "has no name that can be read of user"),
        (damages.rewrite_user(b"\x05user0\xff"), NAMES, "has no name that can be read of user"),
        (damages.rewrite_user(b"\x01\xff"), NAMES, "has no name that can be read of user"),
        (damages.rewrite_record(lambda record: record[:31] + b"\x06"), f"{PREFIX}j:3", "has a record of no event"),
        (damages.rewrite_record(lambda record: record[:11] + b"\xff" * 21), f"{PREFIX}j:3", "has a record of no event"),
        (damages.rewrite_record(lambda record: record + b"x"), f"{PREFIX}j:3", "has a record of 33 bytes"),
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
    """With no shape at all no query reaches a job: the audit goes down from where the records' jobs start."""
    inner = Shape.of(parse_shape(await stored(damaged, SHAPE))).inner
    await damaged.delete(SHAPE)
    drifts = [(drift.key, drift.what) for drift in await audit_project(damaged, "project")]
    assert {(SHAPE, f"lacks inner node n:{level}:{index}") for level, index in inner} < set(drifts)
    assert (SHAPE, "lacks node n:42:5") in drifts


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
