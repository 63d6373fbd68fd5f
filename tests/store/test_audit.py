"""The audit sees each kind of damage, and says where it is."""

from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from service.store.audit import audit_project
from service.store.contract import LayoutError
from service.store.cover import LOWEST_LISTED_LEVEL, TOP_LEVEL, Shape
from service.store.layout import LISTED_LEAF, head_key, parse_shape, stripe_of
from tests.store import damages
from tests.store.damages import LEAF, META, MILLISECOND, NAMES, PREFIX, SHAPE, TIMES, TOP_LEAF, TOP_NODE, shape_entry
from tests.store.support import Store, stored


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
