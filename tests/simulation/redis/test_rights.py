"""What a server refuses because it may not, has no room, or is a replica."""

import pytest
from redis.exceptions import NoPermissionError, OutOfMemoryError, ReadOnlyError, ResponseError

from service.store.errors import EvictionError
from service.store.redis.eviction import check_eviction
from tests.simulation.redis.served import CONSUMERS, Served


async def test_a_command_is_forbidden_to_a_user(redis: Served) -> None:
    """What was said last holds, whatever starts in between."""
    redis.server.forbid(CONSUMERS, "set")
    redis.server.allow(CONSUMERS, "set")
    redis.server.forbid(CONSUMERS, "set")
    redis.server.kill()
    redis.server.start()
    async with redis.client() as client:
        with pytest.raises(NoPermissionError):
            await client.set("key", "value")
        redis.server.allow(CONSUMERS, "set")
        await client.set("key", "value")


async def test_a_full_server_takes_nothing_more(redis: Served) -> None:
    """It answers, and takes more when there is room."""
    async with redis.client() as client:
        redis.server.fill()
        with pytest.raises(OutOfMemoryError):
            await client.set("key", "value")
        assert await client.get("key") is None
        redis.server.free()
        await client.set("key", "value")


async def test_a_full_disk(redis: Served) -> None:
    """After a write that cannot be stored it takes none; all that it took is stored when there is room."""
    async with redis.client() as client:
        await client.set("first", "value")
        redis.server.fill_disk()
        await client.set("second", "value")
        with pytest.raises(ResponseError, match="MISCONF"):
            await client.set("third", "value")
        redis.server.free_disk()
        await client.set("fourth", "value")
    redis.server.kill()
    redis.server.start()
    assert redis.server.ask("MGET", "first", "second", "third", "fourth") == [b"value", b"value", None, b"value"]


async def test_a_demoted_server_refuses_writes(redis: Served) -> None:
    """Until it is a primary again."""
    async with redis.client() as client:
        redis.server.demote()
        with pytest.raises(ReadOnlyError):
            await client.set("key", "value")
        redis.server.end_demotion()
        await client.set("key", "value")


async def test_a_setting_that_evicts_is_seen(redis: Served) -> None:
    """By what a consumer asks."""
    async with redis.client() as client:
        await check_eviction(client)
        redis.server.configure("maxmemory-policy", "allkeys-lru")
        with pytest.raises(EvictionError):
            await check_eviction(client)


async def test_scripts_are_forgotten(redis: Served) -> None:
    """All of them."""
    sha = redis.server.ask("SCRIPT", "LOAD", "return 1")
    assert redis.server.ask("SCRIPT", "EXISTS", sha) == [1]
    redis.server.flush_scripts()
    assert redis.server.ask("SCRIPT", "EXISTS", sha) == [0]
