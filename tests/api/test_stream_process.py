"""A stream of `python -m service` over a Redis that hangs, is killed and comes back; and how the process ends."""

import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from redis.asyncio import Redis

from deploy.local.process import Child
from deploy.local.servers import free_port, start_redis
from tests.api.streams import STREAM, Event, Listener, until
from tests.api.support import PROJECT, SECRET, as_caller
from tests.servers import Processes, redis_program
from tests.store.support import NOON_MS, Store, event

KEPT = ("--appendonly", "yes", "--appendfsync", "always")


@asynccontextmanager
async def listener_of(port: int) -> AsyncIterator[Listener]:
    """A client of a stream of the process on that port."""
    timeout = aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{port}", timeout=timeout) as http,
        http.get(STREAM, headers=as_caller()) as response,
    ):
        assert response.status == 200
        yield Listener(response)


async def test_it_outlasts_its_redis_and_ends_with_its_process(processes: Processes, tmp_path: Path) -> None:
    """Each write is told, also those after Redis was away; the process ends as soon as it may, and its log is calm."""
    redis_port, port = free_port(), free_port()

    def start() -> Child:
        return start_redis(redis_program(), redis_port, tmp_path / "redis", tmp_path / "redis.log", KEPT)

    redis = start()
    url = f"redis://127.0.0.1:{redis_port}/0"
    environment = {"STATS_REDIS_URL": url, "STATS_HTTP_PORT": str(port), "STATS_JWT_SECRET": SECRET}
    try:
        async with Redis.from_url(url) as client:
            store, jobs = Store(client), 0

            async def write() -> None:
                nonlocal jobs
                await store.apply([event(jobs, project_id=PROJECT)], watermark_ms=NOON_MS + jobs)
                jobs += 1

            await write()
            service = await processes.start_ready("service", environment, port)
            async with listener_of(port) as stream:

                async def stands_still() -> bool:
                    return "streams stand still" in service.log_path.read_text()

                async def told() -> None:
                    told = await stream.running(jobs)
                    assert told.data["as_of"] == NOON_MS + jobs - 1

                await told()
                await write()
                await told()
                redis.process.send_signal(signal.SIGSTOP)
                await until(stands_still)
                redis.process.send_signal(signal.SIGCONT)
                await write()
                await told()
                redis.process.kill()
                redis.process.wait()
                redis = start()
                await client.connection_pool.disconnect()
                await write()
                await told()
                service.process.send_signal(signal.SIGTERM)
                assert await stream.until("end") == Event("end", None, {"reason": "stopping"})
                assert await stream.next() is None
            assert service.process.wait(20) == 0, service.tail()
    finally:
        redis.stop()
    lines = [json.loads(line) for line in service.log_path.read_text().splitlines()]
    said = {line["message"].partition(":")[0] for line in lines if line["level"] not in {"INFO", "DEBUG"}}
    assert said <= {"streams stand still"}
