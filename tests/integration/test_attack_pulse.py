"""A consumer that waits for Redis to write its log anew, or for a large project to be mended, lives."""

import asyncio
import time
from pathlib import Path

from service.store.clock import system_now_ms
from tests.integration.conftest import MakeSettings
from tests.integration.support import RedisServer, eventually, publish, running_consumer
from tests.store.support import Event, event

_FASTER = 20  # seconds of the pulse in one of ours


async def test_a_consumer_that_waits_for_the_log_is_alive(make_settings: MakeSettings, tmp_path: Path) -> None:
    """BREAK: Redis takes more than a minute to write its log anew, or a project to be mended: `/healthz` fails, the
    process is replaced, and what it was mending begins anew, for ever."""
    server = RedisServer(tmp_path, ["--appendonly", "yes"])
    try:
        settings = make_settings(server.url)
        first: list[Event] = [event(job) for job in range(3)]
        await publish(settings.kafka_bootstrap_servers, settings.kafka_topic, first)
        async with running_consumer(settings, system_now_ms) as running:
            await running.wait_counted(first)
            worker_pulse = running.consumer.pulse
            worker_pulse._clock = lambda: _FASTER * time.monotonic()
            worker_pulse.beat()
            await running.redis.config_set("rdb-key-save-delay", 80_000)  # type: ignore[union-attr]
            await running.redis.script_flush()  # type: ignore[union-attr]

            async def is_waiting() -> bool:
                info = await running.redis.info("persistence")
                return bool(info["aof_rewrite_in_progress"])

            await eventually(is_waiting, "Redis writes its log anew")
            began = time.monotonic()
            while await is_waiting():
                assert worker_pulse.is_alive()
                await asyncio.sleep(0.1)
            assert time.monotonic() - began > 4
            await running.wait_at(3)
    finally:
        server.stop()
