"""A store's clock: never ahead of that of Redis, however late a request or a reply comes."""

from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

import pytest
from redis.asyncio import Redis

from service.store.redis.clock import StoreClock

HOUR_MS = 3_600_000
LATE_MS = 5_000
STEP_MS = 200  # more than a question takes here


async def redis_now_ms(client: Redis) -> int:
    """The time of Redis."""
    seconds, microseconds = await client.time()
    return int(seconds) * 1_000 + int(microseconds) // 1_000


class Hands:
    """A clock that shows what it is told to: these readings, the last of them from then on."""

    def __init__(self) -> None:
        self._readings: Iterator[int] = repeat(0)

    def show(self, *readings_ms: int) -> None:
        """Shows these."""
        self._readings = chain(readings_ms[:-1], repeat(readings_ms[-1]))

    def __call__(self) -> int:
        """The next reading."""
        return next(self._readings)


@pytest.fixture
async def client(redis_flushed: str) -> Any:
    """A client of a Redis."""
    async with Redis.from_url(redis_flushed) as client:
        yield client


@pytest.mark.parametrize("lead_ms", [HOUR_MS, LATE_MS // 2])
async def test_a_request_that_comes_late_hides_no_lead(client: Redis, lead_ms: int) -> None:
    """Redis tells its time when the request comes: seconds after the process' clock was read."""
    hands = Hands()
    clock = StoreClock(client, steady_ms=hands)
    now_ms = await redis_now_ms(client) + lead_ms
    hands.show(now_ms - LATE_MS, now_ms)
    await clock.measure()
    assert clock.now_ms() <= await redis_now_ms(client)


async def test_what_is_known_stays_while_nothing_speaks_against_it(client: Redis) -> None:
    """A reply or a request that comes late says less of the lead, and does not move the clock; a better one does."""
    hands = Hands()
    clock = StoreClock(client, steady_ms=hands)
    now_ms = await redis_now_ms(client) + HOUR_MS
    hands.show(now_ms, now_ms + LATE_MS, now_ms)  # at first the least that is certain
    await clock.measure()
    assert clock.now_ms() <= await redis_now_ms(client)
    now_ms = await redis_now_ms(client) + HOUR_MS
    hands.show(now_ms)
    await clock.measure()
    known_ms = clock.now_ms()
    assert known_ms > now_ms - HOUR_MS - STEP_MS
    for asked_ms, answered_ms in ((now_ms - LATE_MS, now_ms + STEP_MS), (now_ms - STEP_MS, now_ms + LATE_MS)):
        hands.show(asked_ms, answered_ms, now_ms)
        await clock.measure()
        assert clock.now_ms() == known_ms


async def test_no_clock_of_a_process_matters(client: Redis) -> None:
    """Whatever it says, and however it jumps between two questions, Redis is believed."""
    local, steady = Hands(), Hands()
    clock = StoreClock(client, local, steady)
    for lead_ms in (HOUR_MS, 0, -HOUR_MS):
        steady.show(await redis_now_ms(client) + lead_ms)
        await clock.measure()
        for local_ms in (0, 1 << 52):
            local.show(local_ms)
            assert clock.now_ms() == pytest.approx(await redis_now_ms(client), abs=STEP_MS)
