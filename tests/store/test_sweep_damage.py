"""Sweeps of a store that is damaged."""

import pytest
from redis.asyncio import Redis

from service.store.errors import LayoutError
from service.store.layout.keys import head_key, project_prefix, projects_key, stripe_of, swept_key
from service.store.redis.views import DamagedError
from service.store.retention import Sweeper
from service.store.write.writer import Step, StripeBatch
from tests.store.support import Store, event, stored

STRIPE = stripe_of("project")
OTHER = "other-100"  # of the same stripe
DAY_MS = 86_400_000


async def no_pause() -> None:
    """Nobody else needs a turn."""


KEYS = {
    "head": head_key(STRIPE),
    "meta": f"{project_prefix('project')}m",
    "shape": f"{project_prefix('project')}s",
    "swept": swept_key(STRIPE, 0),
    "list": projects_key(STRIPE, 0),
    "hash": f"{project_prefix('project')}j:0",
    "node": f"{project_prefix('project')}n:42:0",
}


@pytest.mark.parametrize("how", ["cut", "foreign", "rubbish"])
@pytest.mark.parametrize("name", KEYS)
async def test_a_sweep_leaves_alone_what_is_damaged(client: Redis, store: Store, name: str, how: str) -> None:
    """What is damaged is left as it is and named, and every other project is swept."""
    await store.apply([event(job, start_time_ms=1_000 + job) for job in range(300)])
    await store.apply([event(job, project_id=OTHER, start_time_ms=1_000 + job) for job in range(300)])
    at = (await store.writer.read_heads())[STRIPE].progress[0].next_offset
    await store.writer.apply(1, [StripeBatch(STRIPE, [Step(0, at, at, 0)], horizon_ms=DAY_MS)])
    key = KEYS[name]
    if how == "cut" and name not in {"list", "hash", "swept"}:
        await client.set(key, (await stored(client, key))[:-3])
    elif how == "foreign":
        await client.delete(key)
        await client.rpush(key, "x")
    else:
        await client.delete(key)
        await client.set(key, "rubbish")
    try:
        await Sweeper(client).sweep(STRIPE, no_pause)
    except (DamagedError, LayoutError):
        assert name in {"head", "list"}
        return
    assert not await client.exists(f"{project_prefix(OTHER)}j:0")
