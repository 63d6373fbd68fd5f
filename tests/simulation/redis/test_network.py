"""What the network and a server's time do to commands that are under way."""

import asyncio
from collections.abc import Callable

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from tests.simulation.redis.served import WHOLE, Served, in_virtual_time
from tests.simulation.redis.session import Words
from tests.store.support import Client, assert_equals_oracle, event


async def _until_done(redis: Served, commands: int) -> None:
    """Waits until the server has run so many commands in all."""
    while redis.server.commands < commands:  # noqa: ASYNC110 - nothing tells it
        await asyncio.sleep(0)


@in_virtual_time
async def test_a_frozen_server_runs_later_what_came_meanwhile(redis: Served) -> None:
    """It accepts connections and answers nothing; what clients sent that have given up is done, too."""
    async with redis.client() as patient, redis.client() as hasty:
        await patient.get("key")
        await hasty.get("key")
        redis.server.freeze()
        with pytest.raises(RedisTimeoutError):
            await hasty.incr("key")
        appending = asyncio.ensure_future(patient.execute_command("INCR", "key"))
        await asyncio.sleep(0.01)
        assert redis.server.ask("GET", "key") is None
        redis.server.thaw()
        assert await appending == 2
        assert await hasty.get("key") == b"2"


@in_virtual_time
async def test_a_frozen_server_may_be_killed(redis: Served) -> None:
    """What came meanwhile is lost."""
    async with redis.client() as client:
        await client.get("key")
        redis.server.freeze()
        writing = asyncio.ensure_future(client.execute_command("SET", "key", "value"))
        await asyncio.sleep(0.01)
        redis.server.kill()
        redis.server.thaw()
        with pytest.raises(RedisConnectionError):
            await writing
        redis.server.start()
        assert await client.get("key") is None


@in_virtual_time
async def test_replies_of_a_slow_server_come_late(redis: Served) -> None:
    """The command is done long before the client gives up."""
    async with redis.client() as client:
        await client.get("key")
        redis.server.slow_seconds = 30
        with pytest.raises(RedisTimeoutError):
            await client.set("key", "value")
        redis.server.slow_seconds = 0
        assert await client.get("key") == b"value"


@pytest.mark.parametrize("hangs", [False, True])
@in_virtual_time
async def test_a_reply_is_lost_after_the_command_was_done(redis: Served, hangs: bool) -> None:
    """One reply, and its connection ends or hangs; the next one works."""
    async with redis.client() as client:
        await client.get("key")
        redis.server.lose_replies(1, hangs=hangs)
        with pytest.raises(RedisTimeoutError if hangs else RedisConnectionError):
            await client.incr("key")
        assert await client.incr("key") == 2


@pytest.mark.parametrize("hangs", [False, True])
@in_virtual_time
async def test_a_command_is_lost(redis: Served, hangs: bool) -> None:
    """It is not done, and its connection ends or hangs; the next one works."""
    async with redis.client() as client:
        await client.get("key")
        redis.server.lose_commands(1, hangs=hangs)
        with pytest.raises(RedisTimeoutError if hangs else RedisConnectionError):
            await client.incr("key")
        assert await client.incr("key") == 1


@in_virtual_time
async def test_a_lost_reply_of_a_batch_leaves_the_batch_applied(redis: Served) -> None:
    """The writer learns nothing, and the store has it."""
    async with redis.store() as store:
        await store.apply([event(1)])
        redis.server.lose_replies(1)
        with pytest.raises(Exception, match="calling a script"):
            await store.apply([event(2)])
        await assert_equals_oracle(store, [event(1), event(2)], WHOLE)


@pytest.mark.parametrize("done", [0, 2, 9])
@in_virtual_time
async def test_a_connection_ends_inside_of_a_pipeline(redis: Served, done: int) -> None:
    """The first commands are done, and no others."""
    async with redis.client() as client:
        assert isinstance(client, Redis)
        await client.get("key")
        redis.server.cut_pipeline(done)
        pipeline = client.pipeline(transaction=False)
        for _ in range(5):
            pipeline.incr("key")
        with pytest.raises(RedisConnectionError):
            await pipeline.execute()
        assert int(await client.get("key") or 0) == min(done, 4)


@in_virtual_time
async def test_a_lost_reply_takes_those_behind_it_with_it(redis: Served) -> None:
    """Commands that came together with the one whose reply is lost are done, or none of them is."""
    counts = set()
    async with redis.client() as client:
        for _ in range(20):
            await client.delete("key")
            redis.server.lose_replies(1)
            pipeline = client.pipeline(transaction=False)
            for _ in range(2):
                pipeline.incr("key")
            with pytest.raises(RedisConnectionError):
                await pipeline.execute()
            counts.add(await client.get("key"))
    assert counts == {b"1", b"2"}


@in_virtual_time
async def test_a_fault_comes_between_two_commands(redis: Served) -> None:
    """Whoever is called before a command may end its server, freeze it, or have its connection forgotten."""
    server = redis.server
    faults = [server.kill, server.freeze, server.forget_connections, server.drop_connections]
    async with redis.client() as client:
        for fault in faults:
            await client.set("key", 0)
            seen: list[bytes] = []

            def before(words: Words, fault: Callable[[], None] = fault, seen: list[bytes] = seen) -> None:
                seen.append(words[0])
                if len(seen) == 3:
                    fault()

            server.before_command = before
            pipeline = client.pipeline(transaction=False)
            for _ in range(5):
                pipeline.incr("key")
            with pytest.raises((RedisConnectionError, RedisTimeoutError)):
                await pipeline.execute()
            server.before_command = None
            assert len(seen) == 3
            if server.is_listening:
                assert server.ask("GET", "key") == b"2"
            server.start()
            server.thaw()


@in_virtual_time
async def test_all_connections_end(redis: Served) -> None:
    """What is under way is lost, in either direction, and new connections work."""
    async with redis.client() as client:
        await client.get("key")
        redis.server.slow_seconds = 30
        writing = asyncio.ensure_future(client.execute_command("SET", "key", "value"))
        await _until_done(redis, redis.server.commands + 1)
        redis.server.drop_connections()
        with pytest.raises(RedisConnectionError):
            await writing
        redis.server.slow_seconds = 0
        assert await client.get("key") == b"value"


@in_virtual_time
async def test_killed_clients_hear_what_was_done(redis: Served) -> None:
    """Redis ends the connections; replies under way arrive."""
    async with redis.client() as client:
        await client.get("key")
        redis.server.slow_seconds = 0.01
        writing = asyncio.ensure_future(client.execute_command("SET", "key", "value"))
        await _until_done(redis, redis.server.commands + 1)
        redis.server.kill_clients()
        assert await writing
        redis.server.slow_seconds = 0
        assert await _asked_again(client) == b"value"


async def _asked_again(client: Client) -> object:
    """A client may learn of the end only with its next command."""
    try:
        return await client.get("key")
    except RedisConnectionError:
        return await client.get("key")


@in_virtual_time
async def test_forgotten_connections_hang_and_new_ones_work(redis: Served) -> None:
    """Neither side is told."""
    async with redis.client() as client:
        await client.get("key")
        redis.server.forget_connections()
        writing = asyncio.ensure_future(client.execute_command("SET", "key", "value"))
        await asyncio.sleep(1)
        redis.server.kill()
        redis.server.start()
        with pytest.raises(RedisTimeoutError):
            await writing
        assert await client.get("key") is None
