"""A consumer that waits for Redis to write its log anew, or for a large project to be mended, lives."""

from pathlib import Path

from redis.asyncio import Redis

from consumers.health import Pulse
from deploy.local.waiting import eventually
from tests.consumers.conftest import MakeSettings
from tests.consumers.support import RedisServer, publish, running_consumer
from tests.store.support import Event, event

FIRST: list[Event] = [event(job) for job in range(3)]


async def test_a_consumer_that_waits_for_the_log_is_alive(make_settings: MakeSettings, tmp_path: Path) -> None:
    """Redis takes long to write its log anew: `/healthz` holds, since a new process would only begin to wait anew."""
    now_seconds = [0.0]
    pulse = Pulse(lambda: now_seconds[0])
    server = RedisServer(tmp_path, ["--appendonly", "yes"])
    try:
        settings = make_settings(server.url)
        await publish(settings.kafka_bootstrap_servers, settings.kafka_topic, FIRST)
        async with running_consumer(settings, pulse=pulse) as running, Redis.from_url(server.url) as client:
            await running.wait_counted(FIRST)
            await client.config_set("rdb-key-save-delay", 80_000)  # microseconds: some seconds in all
            await client.script_flush()

            async def is_waiting() -> bool:
                return bool((await client.info("persistence"))["aof_rewrite_in_progress"])

            await eventually(is_waiting, "Redis writes its log anew")
            for _ in range(3):
                now_seconds[0] += 3_600
                assert not pulse.is_alive()
                await eventually(pulse.is_alive, "the pulse beats")
            assert await is_waiting()
            await client.config_set("rdb-key-save-delay", 0)
            await running.wait_at(len(FIRST))
    finally:
        server.stop()
