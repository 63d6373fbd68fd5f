"""Promises of docs/guarantees.md that were once broken, each by the smallest input that broke it."""

import asyncio
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from service.store.audit.audit import audit_project
from service.store.audit.unfinished import mend_project
from service.store.errors import StoreUnavailableError
from service.store.generations import BuildingWriter, Generations
from service.store.layout.heads import Claim, pack_partitions, parse_head
from service.store.layout.keys import STRIPES, head_key, project_prefix, stripe_of
from service.store.layout.projects import pack_meta, parse_meta
from service.store.redis.clock import StoreClock, system_now_ms
from service.store.retention import Sweeper
from service.store.write.writer import Step, StoreWriter, StripeBatch
from tests.store.support import COLLIDING_USERS, Event, Store, event, limited, stored, stripe_as_of_ms

MINUTE_MS = 60_000
A_TOPIC, ANOTHER_TOPIC = b"a" * 16, b"b" * 16


async def test_a_consumer_that_is_behind_does_not_turn_as_of_back(client: Redis, store: Store) -> None:
    """A partition goes to a consumer whose clock is a minute behind: as-of does not go back."""
    moved_ids = (await store.writer.apply(1, [StripeBatch(s, [Step(0, 0, 1, 5)]) for s in range(STRIPES)])).moved_ids
    right, behind = StoreClock(client), StoreClock(client, lambda: system_now_ms() - MINUTE_MS)
    as_of: list[int] = []
    for clock in (right, behind):
        await clock.measure()
        now_ms = clock.now_ms()
        claim = Claim(now_ms - 10, pack_partitions([0]))
        assert await store.writer.claim(1, claim, moved_ids, now_ms) == []
        as_of.append(await stripe_as_of_ms(client, 7))
    assert as_of == sorted(as_of)


async def test_lost_records_are_not_hidden_by_a_mark(client: Redis, store: Store, redis_flushed: str) -> None:
    """A record hash is lost, then a write ends in part: the mend says that records are missing."""
    first: list[Event] = [event(job, start_time_ms=job) for job in range(400)]
    await store.apply(first)
    lost = await client.hlen(f"{project_prefix('project')}j:3")
    await client.delete(f"{project_prefix('project')}j:3")
    assert lost > 0
    assert (await store.body("project"))["total_running_num"] == 400
    async with limited(redis_flushed, "~*", "+@all", "-hset") as part:
        with pytest.raises(StoreUnavailableError):
            await StoreWriter(part).apply(1, store.batches([event(1_000, start_time_ms=3)]))
    await mend_project(client, "project")
    await store.apply([event(1_000, start_time_ms=3)])
    found = await audit_project(client, "project")
    assert (await store.body("project"))["total_running_num"] == 401 or found


async def test_no_swap_to_a_generation_of_another_topic(client: Redis, store: Store) -> None:
    """What is live has gone over to a new topic: a generation of the old one does not take its place."""
    generations = Generations(client)
    stripe = stripe_of("project")
    old, new = event(1), event(2)
    await store.writer.apply(
        1,
        [
            StripeBatch(
                s,
                [Step(0, 0, 9, 0)],
                store.batches([old])[0].projects if s == stripe else (),
                topic_id=A_TOPIC,
            )
            for s in range(STRIPES)
        ],
    )
    await generations.begin(await generations.look(), A_TOPIC)
    building = await generations.look()
    await BuildingWriter(client, building).apply(
        1,
        [
            StripeBatch(
                s,
                [Step(0, 0, 9, 0)],
                store.batches([old])[0].projects if s == stripe else (),
                building.generation,
                topic_id=A_TOPIC,
            )
            for s in range(STRIPES)
        ],
    )
    await store.writer.apply(1, [StripeBatch(s, (), topic_id=ANOTHER_TOPIC, adopts=True) for s in range(STRIPES)])
    await store.writer.apply(
        1, [StripeBatch(stripe, [Step(0, 0, 1, 0)], store.batches([new])[0].projects, topic_id=ANOTHER_TOPIC)]
    )
    try:
        await generations.swap(building)
    except Exception as error:  # noqa: BLE001 - whatever it says, it must not swap
        assert "topic" in str(error)  # noqa: PT017
    # the head says that offset 0 of the new topic was applied: nobody reads it again
    assert (await store.writer.read_heads())[stripe].progress[0].next_offset == 1
    assert (await store.body("project"))["total_running_num"] == 2


async def test_a_reader_does_not_take_a_user_for_another_after_redis_was_emptied(client: Redis, store: Store) -> None:
    """Of two users with one digest one was first; Redis is emptied, and the other is first: it keeps its numbers."""
    one, other = COLLIDING_USERS
    await store.apply([event(1, user_id=one)])
    assert (await store.body("project", user_id=one))["total_running_num"] == 1
    await client.flushall()
    again = Store(client)
    again.reader = store.reader
    await again.apply([event(2, user_id=other), event(3, user_id=other)])
    assert (await again.body("project", user_id=one))["total_running_num"] == 0


async def test_a_meta_that_says_too_much_does_not_hold_redis_up(
    client: Redis, store: Store, redis_flushed: str
) -> None:
    """A meta is damaged and says 2^40 records: the next event does not make the script count hashes for an hour."""
    await store.apply([event(job, start_time_ms=job) for job in range(100)])
    key = f"{project_prefix('project')}m"
    meta = parse_meta(await stored(client, key))
    await client.set(key, pack_meta(replace(meta, records=1 << 40)))
    async with Redis.from_url(redis_flushed) as killer:
        applying = asyncio.create_task(store.apply([event(1_000)]))
        await asyncio.wait([applying], timeout=3)
        if not applying.done():
            await killer.script_kill()
        assert await applying == 1
    assert await audit_project(client, "project") != []
    assert parse_meta(await stored(client, key)).hashes < 100


async def test_a_sweep_of_more_than_a_meta_says_comes_to_an_end(client: Redis, store: Store) -> None:
    """A meta says fewer records than a sweep takes out: it says none afterwards, and the next event counts."""
    await store.apply([event(job, start_time_ms=1_000 + job) for job in range(100)])
    key = f"{project_prefix('project')}m"
    meta = parse_meta(await stored(client, key))
    await client.set(key, pack_meta(replace(meta, records=3)))
    stripe = stripe_of("project")
    head = parse_head(await stored(client, head_key(stripe)))
    at = head.progress[0].next_offset
    await store.writer.apply(1, [StripeBatch(stripe, [Step(0, at, at, 0)], horizon_ms=5_000)])

    async def no_pause() -> None:
        """Nobody else needs a turn."""

    await Sweeper(client).sweep(stripe, no_pause)
    assert parse_meta(await stored(client, key)).records < 1_000
