"""Whatever lies in the store, a reader answers or says that it cannot: it raises nothing else, and no number is wrong
because a key is gone or is something else."""

import json
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any

import pytest
from redis.asyncio import Redis

from service.events.event import JobDeletion
from service.store.errors import LayoutError, StoreUnavailableError
from service.store.layout.keys import head_key, stripe_of
from service.store.layout.projects import LISTED_LEAF, parse_shape
from service.store.read.reader import RedisStatisticsStore
from tests.oracle import Oracle
from tests.store.damages import (
    ALONE_MS,
    EVENTS,
    FAR_MS,
    LEAF,
    META,
    NAMES,
    PREFIX,
    SHAPE,
    TIMES,
    TOP_LEAF,
    TOP_NODE,
    make_project,
)
from tests.store.support import NOON_MS, Query, Store, everything, stored

HEAD = head_key(stripe_of("project"))
BOUNDS = (None, NOON_MS, NOON_MS + 2, ALONE_MS, ALONE_MS + 1, FAR_MS, FAR_MS + 1)
QUERIES: list[Query] = [
    ("project", start, end, user)
    for start in BOUNDS
    for end in BOUNDS
    if start is None or end is None or start <= end
    for user in (None, "user0", "nobody")
]
Damage = Callable[[Redis, bytes], Awaitable[object]]


async def delete(client: Redis, key: bytes) -> None:
    """Takes a key away."""
    await client.delete(key)


async def retype(client: Redis, key: bytes) -> None:
    """Puts a value of another type under a key."""
    await client.delete(key)
    await client.xadd(key, {"a": "b"})


async def truncate(client: Redis, key: bytes) -> None:
    """Takes the last byte off a string; what is none becomes one without bytes."""
    await client.set(key, (await string_under(client, key))[:-1])


async def grow(client: Redis, key: bytes) -> None:
    """Adds a byte to a string; what is none becomes one of one byte."""
    await client.set(key, await string_under(client, key) + b"x")


async def string_under(client: Redis, key: bytes) -> bytes:
    """The string under a key, without bytes if there is something else."""
    return await stored(client, key.decode()) if await client.type(key) == b"string" else b""


def scramble(seed: int) -> Damage:
    """Puts random bytes in the place of a string, of its own length or of any."""

    async def damage(client: Redis, key: bytes) -> None:
        rnd = Random(seed)
        value = bytearray(await string_under(client, key) if rnd.random() < 0.7 else rnd.randbytes(rnd.randrange(300)))
        for _ in range(rnd.choice((1, 3, len(value)))):
            if value:
                value[rnd.randrange(len(value))] = rnd.randrange(256)
        await client.set(key, bytes(value))

    return damage


@pytest.fixture
async def project(store: Store) -> Redis:
    """A project with every kind of node."""
    return await make_project(store)


async def answers(reader: RedisStatisticsStore, queries: Sequence[Query] = QUERIES) -> list[tuple[Query, object]]:
    """The answers that there are; any error but the contract's ends the test."""
    found = []
    for query in queries:
        try:
            found.append((query, json.loads((await reader.read(*query)).body)))
        except (StoreUnavailableError, LayoutError):
            continue
    return found


async def put_back(client: Redis, key: bytes, value: Any) -> None:
    """Makes a key what it was."""
    await client.delete(key)
    await client.restore(key, 0, value)


DAMAGES: dict[str, Damage] = {
    "delete": delete,
    "retype": retype,
    "truncate": truncate,
    "grow": grow,
    **{f"scramble {n}": scramble(n) for n in range(8)},
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_any_damaged_key_leaves_an_answer_or_none(project: Redis, damage: Damage) -> None:
    """Each key of the project in turn, for a reader that knows the project and for one that does not."""
    before, some = await everything(project), QUERIES[::7]
    for key in sorted(before):
        knows = RedisStatisticsStore(project)
        await answers(knows, some)
        await damage(project, key)
        for reader in (knows, RedisStatisticsStore(project)):
            await answers(reader, some[::-1])
        await put_back(project, key, before[key])


@pytest.mark.parametrize("damage", [delete, retype])
async def test_missing_node_of_the_shape_is_never_a_number(project: Redis, damage: Damage) -> None:
    """Without a node that the shape names, what it would be read for has no answer; all else is as before."""
    before, oracle = await everything(project), Oracle(EVENTS)
    expected = [(query, oracle.answer(*query)) for query in QUERIES]
    missing = 0
    for level, index in parse_shape(await stored(project, SHAPE)):
        key = f"{PREFIX}n:{level % LISTED_LEAF}:{index}".encode()
        await damage(project, key)
        found = await answers(RedisStatisticsStore(project))
        assert [each for each in found if each not in expected] == []
        missing += len(QUERIES) - len(found)
        await put_back(project, key, before[key])
    assert missing > len(QUERIES)


@pytest.mark.parametrize("damage", [delete, retype])
@pytest.mark.parametrize("key", [META, SHAPE, TOP_NODE, TOP_LEAF])
async def test_missing_string_has_no_answer(project: Redis, damage: Damage, key: str) -> None:
    """Without its meta, its shape or a topmost node nothing of a project is known; the error names project and key."""
    await damage(project, key.encode())
    with pytest.raises(StoreUnavailableError, match=f"project project is damaged: {key}"):
        await RedisStatisticsStore(project).read("project", None, None, None)


@pytest.mark.parametrize("key", [NAMES, TIMES])
async def test_missing_names_have_no_answer(project: Redis, key: str) -> None:
    """Users who have jobs and no name are no answer."""
    await project.delete(key)
    with pytest.raises(StoreUnavailableError, match="lacks a user"):
        await RedisStatisticsStore(project).read("project", None, None, None)


async def test_head_that_is_no_string_has_no_answer(project: Redis) -> None:
    """A head that reads as nothing is not an empty store."""
    await retype(project, HEAD.encode())
    for project_id in ("project", "project"):
        with pytest.raises(StoreUnavailableError, match="head is not there"):
            await RedisStatisticsStore(project).read(project_id, None, None, None)
    await project.delete(META, SHAPE, NAMES, TIMES)
    with pytest.raises(StoreUnavailableError, match="head is not there"):
        await RedisStatisticsStore(project).read("project", None, None, None)


async def test_leaf_with_rows_in_it_is_noticed(project: Redis) -> None:
    """What the shape does not call inner must be a leaf, and the other way round."""
    top, leaf = await stored(project, TOP_NODE), await stored(project, LEAF)
    await project.set(LEAF, top)
    with pytest.raises(StoreUnavailableError, match=f"{LEAF} is inner"):
        await RedisStatisticsStore(project).read("project", ALONE_MS, ALONE_MS + 1, None)
    await project.set(LEAF, leaf)
    await project.set(TOP_NODE, leaf)
    with pytest.raises(StoreUnavailableError, match=f"{TOP_NODE} is a leaf"):
        await RedisStatisticsStore(project).read("project", None, None, None)


async def test_project_without_nodes_is_not_damaged(client: Redis, store: Store) -> None:
    """A project that knows of deletions alone has a meta, no shape and no jobs; so has one that is unknown."""
    deletions = [JobDeletion("project", "never seen")]
    await store.apply(deletions)
    assert await client.exists(META)
    for project_id in ("project", "unknown"):
        assert await store.body(project_id) == Oracle(deletions).answer(project_id)
