"""Commands of the product's clients pass the front, and replies are the same whichever real server makes them."""

import asyncio
from random import Random

import pytest

from service.store.errors import StoreDeniedError
from service.store.redis.client import create_writer_client
from service.store.redis.clock import StoreClock
from service.store.redis.gate import load_behind_gate
from service.store.redis.outages import reaching
from service.store.redis.views import Client, read_at_once
from tests.simulation.redis.home import Home
from tests.simulation.redis.served import CONSUMERS, NOW_MS, WHOLE, Served, in_virtual_time, served
from tests.simulation.redis.server import SimulatedRedis
from tests.store.support import assert_equals_oracle, assert_no_drift, event

NAMES = [f"name{number}" for number in Random(4).sample(range(10_000), 300)]


async def test_the_products_writer_and_reader_work(redis: Served) -> None:
    """What is written is read, and stands the audit, which uses transactions."""
    events = [event(number, user_id=f"user{number % 3}") for number in range(300)]
    async with redis.store() as store:
        await store.apply(events)
        await assert_equals_oracle(store, events, WHOLE)
        await assert_no_drift(store.client, events)


async def test_a_long_pipeline_is_answered_in_its_order(redis: Served) -> None:
    """Also where it comes in several pieces, whose ends are inside of commands."""
    async with redis.client() as client:
        pipeline = client.pipeline(transaction=False)
        for number in range(2_000):
            pipeline.set(f"key{number}", b"x" * 100)
            pipeline.execute_command("ECHO", number)
        assert (await pipeline.execute())[1::2] == [b"%d" % number for number in range(2_000)]


async def test_who_has_another_password_is_refused(redis: Served) -> None:
    """A user may what the server lets it."""
    client = create_writer_client(redis.url.replace(":consumers@", ":wrong@"), cluster=False)
    with pytest.raises(StoreDeniedError, match="correct user and password"), reaching("asking"):
        await client.get("key")
    await client.aclose()


async def test_the_time_of_redis_is_virtual(redis: Served) -> None:
    """The store's clock tells the time that the simulation says."""
    async with redis.client() as client:
        clock = StoreClock(client, steady_ms=lambda: 5_000)
        await clock.measure()
        assert clock.now_ms() == NOW_MS


async def test_a_start_has_a_run_id_of_its_own(redis: Served) -> None:
    """They are numbered, and so the same in each run."""
    ids = []
    async with redis.client() as client:
        for _ in range(2):
            ids.append((await client.info("server"))["run_id"])
            redis.server.kill()
            redis.server.start()
            await asyncio.gather(client.get("key"), return_exceptions=True)  # finds the connection ended
    assert [int(each[1:], 16) for each in ids] == [1, 2]


@in_virtual_time
async def test_the_log_is_whole_when_it_is_said_to_be_written_anew(redis: Served) -> None:
    """The reply to BGREWRITEAOF comes at its end, and so does the gate's look."""
    asked: list[bytes] = []
    redis.server.before_command = lambda words: asked.append(words[0])
    async with redis.client() as client:
        await load_behind_gate(client, "return 1")
    assert asked.count(b"INFO") == 2  # none to wait


async def _read_unordered(client: Client) -> list[bytes]:
    """Reads things that have no order; returns the names of keys."""
    await client.sadd("set", *NAMES)
    await client.hset("hash", mapping=dict.fromkeys(NAMES, b"value"))
    await client.mset(dict.fromkeys(NAMES, b"value"))
    await client.execute_command("SMEMBERS", "set")
    await read_at_once(client, [("HGETALL", "hash"), ("SMEMBERS", "set")])
    return [key async for key in client.scan_iter("name*", count=7)]


async def test_what_has_no_order_comes_in_the_same_one(home: Home) -> None:
    """Members, fields and keys come in one order from servers whose hashes have different seeds."""
    digests = []
    for _ in range(2):
        server = SimulatedRedis(home, Random(1), lambda: NOW_MS, users=(CONSUMERS,))
        server.start()
        async with served(server) as reachable, reachable.client() as client:
            assert await _read_unordered(client) == sorted(name.encode() for name in NAMES)
        server.close()
        digests.append(server.digest)
    assert digests[0] == digests[1]
