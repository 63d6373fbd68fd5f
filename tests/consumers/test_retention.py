"""Retention in a running consumer: the horizon moves, what starts before it counts no more, and goes."""

import json
import time
from dataclasses import replace

from consumers.policy import policy_of
from consumers.upkeep.sweeping import DAY_MS, find_horizon_ms
from deploy.local.waiting import eventually
from service.store.layout.keys import project_prefix
from service.store.layout.projects import parse_meta
from service.store.read.reader import RedisStatisticsStore
from tests.consumers.conftest import MakeSettings
from tests.consumers.support import publish, running_consumer
from tests.consumers.test_rebuild import settled
from tests.oracle import Oracle
from tests.store.support import assert_no_drift, event, stored


async def test_jobs_before_the_horizon_go_while_events_come_in(
    redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str, topic: str
) -> None:
    """A retention that is set later empties the store of what is older; answers are those of the rest."""
    now_ms = time.time_ns() // 1_000_000
    horizon_ms = find_horizon_ms(now_ms, 3)
    events = [event(job, user_id=f"user{job % 4}", start_time_ms=now_ms - job * DAY_MS // 100) for job in range(2_000)]
    kept = [each for each in events if each.start_time_ms >= horizon_ms]
    moved = [event(job, sequence=1, start_time_ms=now_ms - 5 * DAY_MS) for job in range(0, 200, 3)]
    last = event("last", project_id="last", start_time_ms=now_ms)
    settings = make_settings(redis_flushed, retention_days="3")
    policy = replace(policy_of(settings), sweep_seconds=0.2)
    async with (
        settled(make_settings(redis_flushed), kafka_bootstrap, events),
        running_consumer(settings, policy=policy) as running,
    ):
        for at in range(0, len(moved), 10):
            await publish(kafka_bootstrap, topic, moved[at : at + 10])
        await publish(kafka_bootstrap, topic, [last])
        await running.wait_counted([last])
        await eventually(
            lambda: running.count("forgotten_jobs") >= len(events) - len(kept), "older jobs are taken out of the store"
        )
        meta = parse_meta(await stored(running.redis, f"{project_prefix('project')}m"))
        assert meta.records <= len(kept)
        answer = await RedisStatisticsStore(running.redis).read("project", None, None, None)
        assert answer.horizon_ms == horizon_ms
        assert json.loads(answer.body) == Oracle([*events, *moved]).answer("project", horizon_ms)
        await assert_no_drift(running.redis, events)
