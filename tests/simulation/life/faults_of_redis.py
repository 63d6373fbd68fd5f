"""Redis is killed, loses the end of its file, goes back, hangs, is full, forbids, and loses what is under way."""

import asyncio
from collections.abc import AsyncIterator
from random import Random

from tests.simulation.life.redises import CONSUMERS
from tests.simulation.life.registry import fault
from tests.simulation.life.world import World
from tests.simulation.redis.lives import Old
from tests.simulation.redis.server import SimulatedRedis

# a script that may not set a hash ends when it has written most of a batch
_COMMANDS = ("hset", "hset", "hset", "set", "setrange", "append", "del", "hdel", "sadd", "evalsha", "script|load")
_MOST_CUT_BYTES = 200_000
_MOST_LOST = 40  # commands or replies
_LULL_SECONDS = 1.0
_STRIPE_KEYS = ("*head", "*:fresh", "*:projects", "*:totals", "*:gaps", "*:swept", "*:retired", "*:topic", "*:trial")
_LEVELS = (42, 36, 33, 30, 27, 24, 21, 18, 15, 12, 9, 6, 3, 0)
_PROJECT_KEYS = ("*:m", "*:s", "*:u", "*:t", "*:j:*", *(f"*:n:{level}:*" for level in _LEVELS))


def _any_server(world: World, rnd: Random) -> SimulatedRedis:
    return rnd.choice(world.redis.servers)


@fault
async def redis_killed(world: World, rnd: Random) -> AsyncIterator[None]:
    """Redis is killed, and started again over its file, which has everything."""
    server = _any_server(world, rnd)
    server.kill()
    yield
    server.start()


@fault
async def redis_loads(world: World, rnd: Random) -> AsyncIterator[None]:
    """Redis is started anew, and takes long to load its file."""
    server = _any_server(world, rnd)
    server.stop()
    server.start(loads=True)
    yield
    server.loaded()


@fault
async def redis_file_cut(world: World, rnd: Random) -> AsyncIterator[None]:
    """Redis is killed, and its file has lost its end when it comes back."""
    server = _any_server(world, rnd)
    with world.reader.store_goes_back():
        server.cut_log(rnd.randrange(1, rnd.choice((100, 5_000, _MOST_CUT_BYTES))))
        yield
        server.start()


@fault
async def redis_loses_power(world: World, rnd: Random) -> AsyncIterator[None]:
    """Redis is killed, and what it wrote last ends inside of a script's writes when it comes back."""
    server = _any_server(world, rnd)
    with world.reader.store_goes_back():
        server.cut_block()
        yield
        server.start()


@fault
async def redis_loses_power_twice(world: World, rnd: Random) -> AsyncIterator[None]:
    """Redis loses power again and again, each time when it is hardly back; in the end it is started anew as planned."""
    server = _any_server(world, rnd)
    with world.reader.store_goes_back():
        for _ in range(rnd.randint(2, 5)):
            server.cut_block()
            server.start()
            await asyncio.sleep(rnd.choice((0.05, 0.5, 2.0)) * rnd.random())
        yield
        server.stop()
        server.start()


@fault
async def redis_emptied(world: World, rnd: Random) -> AsyncIterator[None]:
    """Redis is killed, and an empty one takes its place."""
    server = _any_server(world, rnd)
    with world.reader.store_goes_back():
        server.kill()
        yield
        server.empty()


@fault
async def redis_restored(world: World, rnd: Random) -> AsyncIterator[None]:
    """A snapshot of when the fault began takes the place of a Redis that knows more."""
    server = _any_server(world, rnd)
    state = server.snapshot()
    yield
    with world.reader.store_goes_back():
        server.restore(state)


@fault
async def redis_restored_in_a_lull(world: World, rnd: Random) -> AsyncIterator[None]:
    """An older snapshot takes Redis' place while the platform publishes nothing: no batch meets it, claims do."""
    server = _any_server(world, rnd)
    state = server.snapshot()
    yield
    async with world.platform.idle:
        await asyncio.sleep(_LULL_SECONDS)
        with world.reader.store_goes_back():
            server.restore(state)
        await asyncio.sleep(2 * _LULL_SECONDS)


@fault
async def redis_fails_over(world: World, rnd: Random) -> AsyncIterator[None]:
    """A replica that has heard nothing for a while is promoted; the old primary may keep its connections."""
    server = _any_server(world, rnd)
    state, old = server.snapshot(), rnd.choice((Old.DIES, Old.DEMOTED, Old.ISOLATED))
    await asyncio.sleep(rnd.random())
    with world.reader.store_goes_back():
        server.promote(state, old if len(world.redis.servers) == 1 else Old.DIES)
        yield
        server.end_old()


@fault
async def redis_full(world: World, rnd: Random) -> AsyncIterator[None]:
    """Redis may not use more memory than it does."""
    server = _any_server(world, rnd)
    server.fill()
    yield
    server.free()


@fault
async def redis_disk_full(world: World, rnd: Random) -> AsyncIterator[None]:
    """Redis can write nothing to its file, and refuses writes."""
    server = _any_server(world, rnd)
    server.fill_disk()
    yield
    server.free_disk()


@fault
async def redis_read_only(world: World, rnd: Random) -> AsyncIterator[None]:
    """Redis is the replica of a primary that is not there."""
    server = _any_server(world, rnd)
    if len(world.redis.servers) > 1:  # a node of a cluster cannot be told to
        world.in_vain.append("redis_read_only")
        yield
        return
    server.demote()
    yield
    server.end_demotion()


@fault
async def redis_hangs(world: World, rnd: Random) -> AsyncIterator[None]:
    """Redis does nothing, and in the end what has come meanwhile."""
    server = _any_server(world, rnd)
    server.freeze()
    yield
    server.thaw()


@fault
async def redis_slow(world: World, rnd: Random) -> AsyncIterator[None]:
    """Every reply of Redis comes late."""
    server = _any_server(world, rnd)
    server.slow_seconds = rnd.choice((0.02, 0.2, 1.2))
    yield
    server.slow_seconds = 0.0


@fault
async def redis_disconnects(world: World, rnd: Random) -> AsyncIterator[None]:
    """All connections to Redis end, at the beginning and in the end."""
    server = _any_server(world, rnd)
    server.drop_connections()
    yield
    server.kill_clients()


@fault
async def redis_connections_forgotten(world: World, rnd: Random) -> AsyncIterator[None]:
    """A firewall forgets the connections that there are."""
    _any_server(world, rnd).forget_connections()
    yield


@fault
async def redis_forgets_scripts(world: World, rnd: Random) -> AsyncIterator[None]:
    """Redis forgets the scripts that it was taught, at the beginning and in the end."""
    server = _any_server(world, rnd)
    server.flush_scripts()
    yield
    if server.is_listening:
        server.flush_scripts()


@fault
async def redis_forbids_a_command(world: World, rnd: Random) -> AsyncIterator[None]:
    """The consumers' user may not run one of the commands that they write with."""
    server, command = _any_server(world, rnd), rnd.choice(_COMMANDS)
    server.forbid(CONSUMERS, command)
    yield
    server.allow(CONSUMERS, command)


@fault
async def redis_forbids_keys(world: World, rnd: Random) -> AsyncIterator[None]:
    """The consumers' user may not write some of a project's keys: a script ends amid the nodes, or after them."""
    server, denied = _any_server(world, rnd), rnd.choice(_PROJECT_KEYS)
    server.restrict(CONSUMERS, [each for each in (*_STRIPE_KEYS, *_PROJECT_KEYS) if each != denied])
    yield
    server.restrict(CONSUMERS, ["*"])


@fault
async def redis_loses_replies(world: World, rnd: Random) -> AsyncIterator[None]:
    """Commands are done, and their replies are lost."""
    server = _any_server(world, rnd)
    server.lose_replies(rnd.randrange(1, _MOST_LOST), hangs=rnd.random() < 0.3)
    yield
    server.lose_replies(0)


@fault
async def redis_loses_commands(world: World, rnd: Random) -> AsyncIterator[None]:
    """Commands are lost on their way."""
    server = _any_server(world, rnd)
    server.lose_commands(rnd.randrange(1, _MOST_LOST), hangs=rnd.random() < 0.3)
    yield
    server.lose_commands(0)


@fault
async def redis_ends_in_a_pipeline(world: World, rnd: Random) -> AsyncIterator[None]:
    """A connection ends after some of the commands that were sent together."""
    server = _any_server(world, rnd)
    server.cut_pipeline(rnd.randrange(1, 10))
    yield
    server.cut_pipeline(None)


@fault
async def redis_killed_in_a_pipeline(world: World, rnd: Random) -> AsyncIterator[None]:
    """Redis is killed between two commands of those that come next, and its file may lose its end."""
    server, left, cuts = _any_server(world, rnd), rnd.randrange(1, 60), rnd.random() < 0.5

    def count_down(_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            server.before_command = None
            server.kill()

    with world.reader.store_goes_back():
        server.before_command = count_down
        yield
        server.before_command = None
        if cuts:
            server.cut_block()
        server.start()
