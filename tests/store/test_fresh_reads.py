"""What a reader answers again: nothing older than the question. And the connection that it keeps for its reads."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

from redis.asyncio import Redis

from service.store.errors import StoreUnavailableError
from service.store.layout.keys import head_key, project_prefix, stripe_of
from service.store.read.client import create_reader_client
from service.store.read.reader import RedisStatisticsStore
from tests.store.support import Store, event


class Held:
    """A client whose replies to MGET come when a test lets them; it remembers the keys of each."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.asked: list[list[str]] = []
        self.replied, self.let_in = asyncio.Event(), asyncio.Event()
        self.let_in.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def mget(self, keys: list[str]) -> Any:
        """The strings as they are when it is called."""
        self.asked.append(keys)
        strings = await self._client.mget(keys)
        self.replied.set()
        await self.let_in.wait()
        return strings

    async def hold(self, question: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begins a question whose reply has come, and is held back."""
        self.replied.clear()
        self.let_in.clear()
        asking = asyncio.create_task(question)
        await self.replied.wait()
        return asking


async def running(reader: RedisStatisticsStore) -> tuple[int, int]:
    """Running jobs of the project, and the as-of that came with them."""
    answer = await reader.read("project", None, None, None)
    return json.loads(answer.body)["total_running_num"], answer.as_of_ms


async def test_a_question_asked_again_has_what_was_written_before(store: Store) -> None:
    """However soon it is asked again; the as-of goes on as well where nothing of the project was written."""
    for number in range(1, 5):
        await store.apply([event(number)], watermark_ms=number)
        assert await running(store.reader) == (number, number)
    await store.apply([event(4)], watermark_ms=9)
    assert await running(store.reader) == (4, 9)


async def test_questions_that_come_together_share_a_look(store: Store) -> None:
    """All that are asked again before Redis is asked: once, for head, claims and meta, also how the project stands."""
    client = Held(store.client)
    reader = RedisStatisticsStore(client)  # type: ignore[arg-type]
    await store.apply([event(1)], watermark_ms=1)
    assert await running(reader) == (1, 1)
    client.asked.clear()
    assert await asyncio.gather(*[running(reader) for _ in range(9)]) == [(1, 1)] * 9
    [keys] = client.asked
    assert len(keys) == 3
    await asyncio.gather(running(reader), reader.standing("project"))
    assert client.asked == [keys, keys]


async def test_a_look_that_is_under_way_says_nothing_to_later_questions(store: Store) -> None:
    """Redis may have been asked before what the later question must see: that has a look of its own."""
    client = Held(store.client)
    reader = RedisStatisticsStore(client)  # type: ignore[arg-type]
    await store.apply([event(1)], watermark_ms=1)
    assert await running(reader) == (1, 1)
    early = await client.hold(running(reader))
    await store.apply([event(2)], watermark_ms=2)
    late = [asyncio.create_task(running(reader)) for _ in range(3)]
    await asyncio.sleep(0)
    client.let_in.set()
    assert await early == (1, 1)
    assert await asyncio.gather(*late) == [(2, 2)] * 3


async def test_who_goes_away_takes_no_look_along(store: Store) -> None:
    """A question that is cancelled leaves the others of its look alone, whether it was the first or not."""
    client = Held(store.client)
    reader = RedisStatisticsStore(client)  # type: ignore[arg-type]
    await store.apply([event(1)], watermark_ms=1)
    await running(reader)
    first = await client.hold(running(reader))
    others = [asyncio.create_task(running(reader)) for _ in range(4)]
    await asyncio.sleep(0)
    for leaving in (first, others[0]):
        leaving.cancel()
    client.let_in.set()
    assert await asyncio.gather(*others[1:]) == [(1, 1)] * 3
    assert (first.cancelled(), others[0].cancelled()) == (True, True)


async def test_what_a_look_finds_damaged_is_so_for_all_who_share_it(store: Store) -> None:
    """Each of them raises it, and the next look is another one."""
    await store.apply([event(1)], watermark_ms=1)
    await running(store.reader)
    meta = f"{project_prefix('project')}m"
    good = await store.client.get(meta)
    await store.client.set(meta, b"damaged")
    found = await asyncio.gather(*[running(store.reader) for _ in range(3)], return_exceptions=True)
    assert [type(each) for each in found] == [StoreUnavailableError] * 3
    assert good is not None
    await store.client.set(meta, good)
    assert await running(store.reader) == (1, 1)


async def test_as_of_is_never_past_the_readers_clock(store: Store) -> None:
    """Where a consumer's clock was ahead, as-of is the present until that has come; an answer given again as well."""
    present_ms = 1_000
    reader = RedisStatisticsStore(store.client, now_ms=lambda: present_ms)
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
