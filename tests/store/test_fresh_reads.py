"""What a reader answers from a look that is a moment old, and the connection that it keeps for its reads."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from service.store.layout.keys import head_key, stripe_of
from service.store.read.client import create_reader_client
from service.store.read.reader import RedisStatisticsStore
from tests.store.support import Store, event

FRESH_SECONDS = 5.0


@dataclass
class Clock:
    """A clock that is moved by hand."""

    now_seconds: float = 100.0

    def __call__(self) -> float:
        return self.now_seconds


async def running(reader: RedisStatisticsStore) -> tuple[int, int]:
    """Running jobs of the project, and the as-of that came with them."""
    answer = await reader.read("project", None, None, None)
    return json.loads(answer.body)["total_running_num"], answer.as_of_ms


async def test_a_look_holds_for_a_moment_and_no_longer(store: Store) -> None:
    """Asked again at once, a question is answered without Redis, as-of and all; later it has every change."""
    clock = Clock()
    reader = RedisStatisticsStore(store.client, FRESH_SECONDS, clock)
    await store.apply([event(1)], watermark_ms=1)
    assert await running(reader) == (1, 1)
    await store.apply([event(2)], watermark_ms=2)
    clock.now_seconds += FRESH_SECONDS * 0.9
    assert await running(reader) == (1, 1)
    clock.now_seconds += FRESH_SECONDS * 0.2
    assert await running(reader) == (2, 2)


async def test_another_question_of_the_project_ends_what_is_older(store: Store) -> None:
    """Once any question has seen a later write, no answer from before it is given."""
    reader = RedisStatisticsStore(store.client, FRESH_SECONDS, Clock())
    await store.apply([event(1)], watermark_ms=1)
    assert await running(reader) == (1, 1)
    await store.apply([event(2)], watermark_ms=2)
    await reader.read("project", 0, None, "user")
    assert await running(reader) == (2, 2)


class SlowSeries(RedisStatisticsStore):
    """A reader whose replies to series come when a test lets them."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.replied, self.let_in = asyncio.Event(), asyncio.Event()

    async def _read_alone(self, tag: str, keys: list[str]) -> list[Any]:
        strings = await super()._read_alone(tag, keys)
        self.replied.set()
        await self.let_in.wait()
        return strings


async def test_a_reply_that_comes_late_brings_nothing_back(store: Store) -> None:
    """A series has a connection of its own: what it saw may be older than what others have seen meanwhile."""
    reader = SlowSeries(store.client, FRESH_SECONDS, Clock())
    await store.apply([event(1)], watermark_ms=1)
    assert await running(reader) == (1, 1)
    series = asyncio.create_task(reader.series("project", [0, 1], None, None))
    await reader.replied.wait()
    await store.apply([event(2)], watermark_ms=2)
    assert (await reader.read("project", 0, None, "user")).as_of_ms == 2
    reader.let_in.set()
    await series
    assert await running(reader) == (2, 2)


async def test_a_question_never_asked_is_always_asked(store: Store) -> None:
    """A fresh look says nothing of what a new question reads."""
    reader = RedisStatisticsStore(store.client, FRESH_SECONDS, Clock())
    await store.apply([event(1)], watermark_ms=1)
    await running(reader)
    await store.apply([event(2)], watermark_ms=2)
    answer = await reader.read("project", 1, None, None)
    assert json.loads(answer.body)["total_running_num"] == 2


async def test_as_of_is_never_past_the_readers_clock(store: Store) -> None:
    """Where a consumer's clock was ahead, as-of is the present until that has come; an answer given again as well."""
    present_ms = 1_000
    reader = RedisStatisticsStore(store.client, FRESH_SECONDS, Clock(), lambda: present_ms)
    await store.apply([event(1)], watermark_ms=3_000)
    assert await running(reader) == (1, 1_000)
    present_ms = 2_000
    assert await running(reader) == (1, 2_000)
    present_ms = 4_000
    assert await running(reader) == (1, 3_000)


async def test_reads_go_on_after_their_connection_was_cut(client: Redis, redis_flushed: str) -> None:
    """A connection that Redis closed is replaced within the same read, also with several reads at once."""
    key = head_key(stripe_of("project"))
    await client.set(key, b"value")
    reading: Any = create_reader_client(redis_flushed, False)
    try:
        for _ in range(3):
            await client.client_kill_filter(_type="normal", skipme=True)
            assert await asyncio.gather(*[reading.mget([key, "nothing"]) for _ in range(4)]) == [[b"value", None]] * 4
    finally:
        await reading.aclose()


async def test_a_reader_without_room_for_anything_answers(store: Store) -> None:
    """What is not remembered is read each time; one that has room for it answers from what it remembers."""
    await store.apply([event(number, user_id=f"user{number % 100}") for number in range(200)])
    for cache_bytes, again in ((0, "read"), (16 * 1024 * 1024, "looked")):
        reader = RedisStatisticsStore(store.client, cache_bytes=cache_bytes)
        await running(reader)
        answer = await reader.read("project", None, None, None)
        assert (json.loads(answer.body)["total_running_num"], answer.how) == (200, again)
