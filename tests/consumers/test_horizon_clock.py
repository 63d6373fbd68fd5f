"""A consumer's clock that jumps while it works."""

import asyncio

from deploy.local.waiting import eventually
from service.store.read.reader import RedisStatisticsStore
from service.store.redis.clock import system_now_ms
from tests.consumers.conftest import MakeSettings
from tests.consumers.support import publish, running_consumer
from tests.store.support import Event, event

DAY_MS = 86_400_000


async def test_a_clock_that_jumps_ahead_forgets_no_job(make_settings: MakeSettings, redis_flushed: str) -> None:
    """A consumer's clock jumps by ten years: no job is before the horizon that was not."""
    settings = make_settings(redis_flushed, retention_days="30")
    jump_ms = 0
    events: list[Event] = [event(job, start_time_ms=system_now_ms() - DAY_MS) for job in range(3)]
    await publish(settings.kafka_bootstrap_servers, settings.kafka_topic, events)
    async with running_consumer(settings, lambda: system_now_ms() + jump_ms) as running:
        await running.wait_counted(events)
        as_of_ms = (await RedisStatisticsStore(running.redis).read("project", None, None, None)).as_of_ms
        jump_ms = 3_650 * DAY_MS
        now_ms = system_now_ms()

        async def is_later() -> bool:
            answer = await RedisStatisticsStore(running.redis).read("project", None, None, None)
            assert answer.as_of_ms <= system_now_ms()
            return answer.as_of_ms > max(as_of_ms, now_ms + 2_500)  # all stripes have been written meanwhile

        await eventually(is_later, "as-of goes on")
        await asyncio.sleep(0)
        await running.wait_counted(events)
