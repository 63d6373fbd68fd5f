"""What the audit computes of the memory that keys take, against what Redis says of them."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from deploy.local.servers import free_port, start_redis
from service.events.event import JobEvent, JobStatus
from service.store.audit.audit import audit_project
from service.store.audit.reads import Sizes
from service.store.layout.keys import STRIPES, projects_key
from service.store.layout.sizes import Kind
from tests.servers import PROJECT, redis_programs
from tests.store.support import Event, Store, event

DAY_MS = 86_400_000
KINDS: dict[str, Kind] = {"m": "projects", "s": "shapes", "n": "nodes", "j": "records", "u": "names", "t": "names"}
MANY: list[Event] = [
    event(job, user_id=f"user-{job % 700}", user_name=f"name {job % 700}", start_time_ms=job * DAY_MS // 10)
    for job in range(6_000)
]
BUSY: list[Event] = [
    event(job, project_id="busy", user_id=f"user-{job % 5}", start_time_ms=DAY_MS + job * 50) for job in range(3_000)
]
SMALL: list[Event] = [event(job, project_id=f"small-{job % 10}", start_time_ms=job * DAY_MS) for job in range(400)]
FINISHED: list[Event] = [
    replace(each, event_time_ms=2_000, status=JobStatus.FINISHED) for each in BUSY if isinstance(each, JobEvent)
]
EVENTS = [*MANY, *BUSY, *SMALL, *FINISHED]
NEAR, LATER = 0.05, 0.2  # how far off the whole may be, and the two kinds that matter: on Redis 7.0, and on others


async def weighed(client: Redis) -> Sizes:
    """The sizes of all projects, as the audit computes them."""
    sizes: Sizes = Counter()
    for stripe in range(STRIPES):
        for project in await client.smembers(projects_key(stripe, 0)):
            assert isinstance(project, bytes)
            assert await audit_project(client, project.decode(), weigh=sizes.update) == []
    return sizes


async def told(client: Redis) -> Sizes:
    """The sizes of all keys of projects, as Redis tells them."""
    sizes: Sizes = Counter()
    async for key in client.scan_iter(count=1_000):
        parts = key.decode().split(":")
        if len(parts) > 2:
            sizes[KINDS[parts[2]]] += await client.memory_usage(key, samples=0) or 0
    return sizes


@pytest.mark.parametrize("name", redis_programs(PROJECT))
async def test_memory_is_what_redis_says(tmp_path: Path, name: str) -> None:
    """Within a twentieth on the Redis that the figures are of; later versions and Valkey take less."""
    port = free_port()
    server = await asyncio.to_thread(
        start_redis, redis_programs(PROJECT)[name], port, tmp_path / "redis", tmp_path / "redis.log"
    )
    try:
        async with Redis(port=port) as client:
            store = Store(client)
            for at in range(0, len(EVENTS), 2_000):
                await store.apply(EVENTS[at : at + 2_000])
            computed, said, server_info = await weighed(client), await told(client), await client.info("server")
    finally:
        server.stop()
    tolerance = NEAR if server_info["redis_version"].startswith("7.0.") else LATER
    assert computed.keys() == said.keys()
    for kind in ("records", "nodes"):
        assert computed[kind] == pytest.approx(said[kind], rel=tolerance), kind
    assert computed.total() == pytest.approx(said.total(), rel=tolerance)
    assert computed["names"] == pytest.approx(said["names"], rel=0.4)
