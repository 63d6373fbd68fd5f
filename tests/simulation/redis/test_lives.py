"""What is left when a server is killed, loses the end of its file, or another takes its place."""

import asyncio
from random import Random

import pytest
from redis.exceptions import BusyLoadingError, ReadOnlyError
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.simulation.redis.home import Home
from tests.simulation.redis.lives import Old
from tests.simulation.redis.served import CONSUMERS, NOW_MS, WHOLE, Served, follow, make_events, served
from tests.simulation.redis.server import SimulatedRedis
from tests.store.support import Client, Store, assert_equals_oracle, assert_no_drift


async def _assert_away(client: Client) -> None:
    """A command fails; in the one case the client learns of the end with it, in the other there is nobody."""
    with pytest.raises((RedisConnectionError, OSError)):
        await client.get("key")


async def _reach(client: Client) -> None:
    """Has a client whose connection has ended connect anew."""
    await asyncio.gather(client.get("key"), return_exceptions=True)


async def test_what_was_acknowledged_survives_a_kill(redis: Served) -> None:
    """It takes no connections while it is away, and then has everything but its scripts."""
    async with redis.client() as client:
        await client.set("key", "value")
        redis.server.ask("SCRIPT", "LOAD", "return 1")
        redis.server.kill()
        assert not redis.server.is_listening
        await _assert_away(client)
        await _assert_away(client)
        redis.server.start()
        assert await client.get("key") == b"value"
    assert redis.server.ask("SCRIPT", "EXISTS", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db") == [0]


async def test_replies_arrive_before_a_planned_end(redis: Served) -> None:
    """A command that was done is answered."""
    async with redis.client() as client:
        await client.get("key")
        commands = redis.server.commands
        writing = asyncio.ensure_future(client.execute_command("SET", "key", "value"))
        while redis.server.commands == commands:  # noqa: ASYNC110 - nothing tells it
            await asyncio.sleep(0)
        redis.server.stop()
        assert await writing


async def test_it_loads_for_a_while(redis: Served) -> None:
    """Until it has loaded it says so, and connects clients."""
    redis.server.kill()
    redis.server.start(loads=True)
    async with redis.client() as client:
        with pytest.raises(BusyLoadingError):
            await client.get("key")
        redis.server.loaded()
        assert await client.get("key") is None


async def test_an_earlier_state_takes_its_place(redis: Served) -> None:
    """Whatever was written since the snapshot is gone, and may be written again; so does an empty one."""
    events = make_events(300)
    async with redis.client() as client:
        await follow(client, events[:200])
        state = redis.server.snapshot()
        await follow(client, events)
        redis.server.restore(state)
        await _reach(client)
        assert await follow(client, events) == 200
        redis.server.empty()
        await _reach(client)
        assert await follow(client, events) == 0
        await assert_equals_oracle(Store(client), events, WHOLE)
        redis.server.kill()
        redis.server.start()
        await _reach(client)
        await assert_equals_oracle(Store(client), events, WHOLE)


async def test_the_end_of_the_file_is_lost(redis: Served) -> None:
    """The last writes are gone; the first ones are not."""
    async with redis.client() as client:
        for number in range(100):
            await client.set(f"key{number:02}", b"x" * 100)
        redis.server.cut_log(1_000)
        redis.server.start()
        await _reach(client)
        values = await client.mget([f"key{number:02}" for number in range(100)])
    there = [value is not None for value in values]
    assert there == [True] * sum(there) + [False] * (100 - sum(there))
    assert 90 <= sum(there) < 95


@pytest.mark.parametrize("seed", range(4))
async def test_the_gate_mends_a_file_that_ends_inside_of_a_script(home: Home, seed: int) -> None:
    """The next writer has the file written anew: a later start has all that was written after the loss of power."""
    server = SimulatedRedis(home, Random(seed), lambda: NOW_MS, users=(CONSUMERS,))
    server.start()
    events = make_events(900, seed)
    async with served(server) as redis, redis.client() as client:
        for most in (30, 70, 50):
            await follow(client, events[: 10 * most + 200], most)
            assert server.cut_block()
            server.start()
            await _reach(client)
        assert await follow(client, events) < 900
        server.kill()
        server.start()
        await _reach(client)
        await assert_equals_oracle(Store(client), events, WHOLE)
        await assert_no_drift(client, events)
    server.close()


@pytest.mark.parametrize("old", Old)
async def test_a_replica_that_lags_is_promoted(redis: Served, old: Old) -> None:
    """New connections lead to it; those to the old primary end, refuse writes, or take writes that are lost."""
    async with redis.client() as before, redis.client() as after:
        await before.set("key", "early")
        state = redis.server.snapshot()
        await before.set("key", "late")
        redis.server.promote(state, old)
        assert await after.get("key") == b"early"
        if old is Old.DIES:
            await _reach(before)
        else:
            assert await before.get("key") == b"late"
        if old is Old.ISOLATED:
            await before.set("key", "lost")
            redis.server.end_old()
            await _reach(before)
        if old is Old.DEMOTED:
            with pytest.raises(ReadOnlyError):
                await before.set("key", "refused")
            redis.server.end_old()
        assert await before.get("key") == b"early"
        await before.set("key", "new")
        assert await after.get("key") == b"new"
