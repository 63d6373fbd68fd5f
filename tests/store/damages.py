"""A project with every kind of node in it, and ways to damage it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from redis.asyncio import Redis

from service.store.layout.keys import project_prefix
from service.store.layout.projects import pack_meta, parse_meta, user_key
from service.store.layout.tree import TOP_LEVEL
from tests.store.support import NOON_MS, Event, Store, event, stored, stored_hash

Damage = Callable[[Redis], Awaitable[None]]

PREFIX = project_prefix("project")
META, SHAPE, NAMES, TIMES = (PREFIX + name for name in "msut")
TOP_NODE = f"{PREFIX}n:42:0"
USER0 = user_key("user0")
FEW_MS = 4
ALONE_MS = NOON_MS + 86_400_000
FAR_MS = 5 << TOP_LEVEL
LEAF = f"{PREFIX}n:27:{ALONE_MS >> 27}"
TOP_LEAF = f"{PREFIX}n:42:5"
MILLISECOND = f"{PREFIX}n:0:{NOON_MS}"


EVENTS: list[Event] = [
    event("far", user_id="user1", start_time_ms=FAR_MS),  # the first that the shape lists
    *[event(f"job-{job}", user_id=f"user{job % 2}", start_time_ms=NOON_MS + job % FEW_MS) for job in range(600)],
    event("alone", user_id="user0", start_time_ms=ALONE_MS),
]


async def make_project(store: Store) -> Redis:
    """Two users, two topmost nodes, inner nodes, leaves and single milliseconds."""
    await store.apply(EVENTS[:1])
    await store.apply(EVENTS[1:])
    assert isinstance(store.client, Redis)
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


def make_foreign(key: str) -> Damage:
    """What puts a value of a type in the place of another that the store keeps nowhere."""

    async def damage(client: Redis) -> None:
        await client.delete(key)
        await client.rpush(key, "x")

    return damage


def rewrite(key: str, change: Callable[[bytes], bytes]) -> Damage:
    """What replaces a string by what becomes of it."""

    async def damage(client: Redis) -> None:
        await client.set(key, change(await stored(client, key)))

    return damage


def rewrite_meta(**changes: Any) -> Damage:
    """What makes a meta say something else."""
    return rewrite(META, lambda meta: pack_meta(replace(parse_meta(meta), **changes)))


def rewrite_user(value: bytes) -> Damage:
    """What puts another value under a user's key."""

    async def damage(client: Redis) -> None:
        await client.hset(NAMES, USER0, value)

    return damage


def rewrite_record(change: Callable[[bytes], bytes]) -> Damage:
    """What replaces some record."""

    async def damage(client: Redis) -> None:
        key, record = await first_record(client, 3)
        await client.hset(f"{PREFIX}j:3", key, change(record))

    return damage
