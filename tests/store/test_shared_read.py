"""Reads that share a round trip."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from service.store.read.shared_read import SharedRead


class Recorder(Redis):
    """A client that remembers the keys of each MGET, and fails the first one if told to."""

    def __init__(self, url: str) -> None:
        super().__init__(connection_pool=Redis.from_url(url, protocol=2).connection_pool)
        self.asked: list[list[str]] = []
        self.began = asyncio.Event()
        self.error: Exception | None = None

    async def mget(self, keys: Any, *args: Any) -> list[Any]:
        self.asked.append(list(keys))
        self.began.set()
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        replies: list[Any] = await super().mget(keys, *args)
        return replies


@pytest.fixture
async def recorder(redis_flushed: str) -> Any:
    """A recording client of a Redis that holds 0 to 2999 under k0 to k2999."""
    client = Recorder(redis_flushed)
    await client.mset({f"k{number}": number for number in range(3_000)})
    yield client
    await client.connection_pool.disconnect()


async def ask(shared: SharedRead, numbers: Sequence[int]) -> list[int]:
    """The numbers that stand under their keys."""
    return [int(value) for value in await shared.mget("", [f"k{number}" for number in numbers])]


async def test_all_who_ask_meanwhile_share_the_next_read(recorder: Recorder) -> None:
    """The first goes at once; those who come while it is under way go together, and each gets its own."""
    shared = SharedRead(recorder)
    questions = [[1], [2, 3], [4], [5, 6]]
    first = asyncio.create_task(ask(shared, questions[0]))
    await recorder.began.wait()
    others = [asyncio.create_task(ask(shared, numbers)) for numbers in questions[1:]]
    assert await asyncio.gather(first, *others) == questions
    assert recorder.asked == [["k1"], ["k2", "k3", "k4", "k5", "k6"]]


async def test_a_read_does_not_grow_without_bound(recorder: Recorder) -> None:
    """More keys than one command should hold go in several, but those of one question never apart."""
    shared = SharedRead(recorder)
    questions = [range(1_500), range(1_500, 2_500), range(2_500, 3_000)]
    assert await asyncio.gather(*[ask(shared, numbers) for numbers in questions]) == [list(each) for each in questions]
    assert [len(keys) for keys in recorder.asked] == [1_500, 1_500]


async def test_failure_reaches_all_who_shared_it_and_nobody_else(recorder: Recorder) -> None:
    """Whoever was in the read that failed hears of it; the next read works."""
    shared = SharedRead(recorder)
    recorder.error = RedisConnectionError("gone")
    results = await asyncio.gather(ask(shared, [1]), ask(shared, [2]), return_exceptions=True)
    assert [str(result) for result in results] == ["gone", "gone"]
    assert await ask(shared, [3]) == [3]


async def test_who_goes_away_does_not_hold_up_the_others(recorder: Recorder) -> None:
    """A question that was cancelled is dropped; the others of its read are answered."""
    shared = SharedRead(recorder)
    leaving = asyncio.create_task(ask(shared, [1]))
    staying = asyncio.create_task(ask(shared, [2]))
    await recorder.began.wait()
    leaving.cancel()
    assert await staying == [2]
    assert leaving.cancelled()
