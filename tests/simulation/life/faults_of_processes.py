"""Consumers and the API are killed, stopped, hang, and have a clock that is wrong."""

from collections.abc import AsyncIterator
from random import Random

from tests.simulation.life.processes import SimulatedConsumer
from tests.simulation.life.registry import fault
from tests.simulation.life.world import World

_LEAD_MS = 3_600_000


def _any_consumer(world: World, rnd: Random) -> SimulatedConsumer:
    return rnd.choice(world.consumers)


@fault
async def consumer_killed(world: World, rnd: Random) -> AsyncIterator[None]:
    """A consumer is killed; another comes in the end."""
    consumer = _any_consumer(world, rnd)
    consumer.process.kill()
    yield
    world.consumers[world.consumers.index(consumer)] = world.launch_consumer()


@fault
async def consumers_killed(world: World, _: Random) -> AsyncIterator[None]:
    """All consumers are killed at once; others come in the end."""
    for consumer in world.consumers:
        consumer.process.kill()
    yield
    world.consumers[:] = [world.launch_consumer() for _ in world.consumers]


@fault
async def consumer_stopped(world: World, rnd: Random) -> AsyncIterator[None]:
    """A consumer is told to stop, and does; another comes in the end."""
    consumer = _any_consumer(world, rnd)
    consumer.stop()
    yield
    await consumer.stopped()
    world.consumers[world.consumers.index(consumer)] = world.launch_consumer()


@fault
async def consumer_joins(world: World, _: Random) -> AsyncIterator[None]:
    """One more consumer joins, and leaves in the end."""
    consumer = world.launch_consumer()
    yield
    consumer.stop()
    await consumer.stopped()


@fault
async def consumer_hangs(world: World, rnd: Random) -> AsyncIterator[None]:
    """A consumer does nothing, and goes on in the end as if nothing had been."""
    consumer = _any_consumer(world, rnd)
    consumer.process.hang()
    yield
    consumer.process.wake()


@fault
async def consumer_ahead(world: World, rnd: Random) -> AsyncIterator[None]:
    """One more consumer joins whose clock is an hour ahead; in the end it leaves, or is killed."""
    consumer = world.launch_consumer(lead_ms=_LEAD_MS)
    yield
    if rnd.random() < 0.5:
        consumer.process.kill()
    else:
        consumer.stop()
        await consumer.stopped()


@fault
async def platform_rests(world: World, _: Random) -> AsyncIterator[None]:
    """The platform publishes nothing: consumers write claims alone."""
    async with world.platform.idle:
        yield


@fault
async def service_killed(world: World, _: Random) -> AsyncIterator[None]:
    """The API is killed; another comes in the end."""
    assert world.service is not None
    world.service.process.kill()
    yield
    world.service = world.launch_service()


@fault
async def service_hangs(world: World, _: Random) -> AsyncIterator[None]:
    """The API does nothing, and goes on in the end; what it knew meanwhile is old."""
    assert world.service is not None
    world.service.process.hang()
    yield
    world.service.process.wake()
