"""What breaks, by name. Each fault begins when its block is entered and is over when the block ends."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from tests.chaos.rig import Rig
from tests.end_to_end.system import RunningConsumer
from tests.integration.support import eventually

Fault = Callable[[Rig], AbstractAsyncContextManager[None]]

_SLOW_SECONDS = 0.2
_STOP_SECONDS = 10.0


def _any_consumer(rig: Rig) -> RunningConsumer:
    return rig.consumers[rig.rnd.randrange(len(rig.consumers))]


async def stop_consumer(consumer: RunningConsumer) -> None:
    """Asks a consumer to end, which it must do in time and with status 0."""
    # a process that has not come to listen to signals yet is ended by one
    await eventually(lambda: consumer.child.log_path.stat().st_size > 0, "the consumer has begun")
    consumer.child.process.terminate()
    assert await asyncio.to_thread(consumer.child.process.wait, _STOP_SECONDS) == 0


# -- consumers


@asynccontextmanager
async def consumer_killed(rig: Rig) -> AsyncIterator[None]:
    """A consumer is killed; another comes in the end."""
    consumer = _any_consumer(rig)
    consumer.child.process.kill()
    yield
    rig.consumers[rig.consumers.index(consumer)] = rig.system.launch_consumer()


@asynccontextmanager
async def consumer_stopped(rig: Rig) -> AsyncIterator[None]:
    """A consumer is told to stop, and does; another comes in the end."""
    consumer = _any_consumer(rig)
    await stop_consumer(consumer)
    yield
    rig.consumers[rig.consumers.index(consumer)] = rig.system.launch_consumer()


@asynccontextmanager
async def consumer_joins(rig: Rig) -> AsyncIterator[None]:
    """One more consumer joins, and leaves in the end."""
    consumer = rig.system.launch_consumer()
    yield
    await stop_consumer(consumer)


@asynccontextmanager
async def consumer_hangs(rig: Rig) -> AsyncIterator[None]:
    """A consumer does nothing, and goes on in the end as if nothing had been."""
    consumer = _any_consumer(rig)
    consumer.child.process.send_signal(signal.SIGSTOP)
    yield
    consumer.child.process.send_signal(signal.SIGCONT)


# -- Redis


@asynccontextmanager
async def redis_killed(rig: Rig) -> AsyncIterator[None]:
    """Redis is killed, and started again over its file: the last second may be lost."""
    with rig.reader.store_goes_back():
        rig.store.kill()
        yield
        rig.store.start()


@asynccontextmanager
async def redis_file_cut(rig: Rig) -> AsyncIterator[None]:
    """Redis is killed, and its file has lost its end when it comes back."""
    with rig.reader.store_goes_back():
        rig.store.kill()
        yield
        rig.store.cut_file(rig.rnd.randrange(1, 200_000))
        rig.store.start()


@asynccontextmanager
async def redis_emptied(rig: Rig) -> AsyncIterator[None]:
    """Redis is killed, and an empty one takes its place."""
    with rig.reader.store_goes_back():
        rig.store.kill()
        yield
        await rig.store.replace(None)


@asynccontextmanager
async def redis_restored(rig: Rig) -> AsyncIterator[None]:
    """A snapshot of when the fault began takes the place of a Redis that knows more."""
    snapshot = await rig.store.snapshot()
    yield
    with rig.reader.store_goes_back():
        await rig.store.replace(snapshot)


@asynccontextmanager
async def redis_fails_over(rig: Rig) -> AsyncIterator[None]:
    """A replica that has heard nothing since the fault began is promoted."""
    replica = await rig.store.cut_off_replica()
    yield
    with rig.reader.store_goes_back():
        await rig.store.promote(replica)


@asynccontextmanager
async def redis_full(rig: Rig) -> AsyncIterator[None]:
    """Redis may not use more memory than it does."""
    async with rig.store.client() as client:
        await client.config_set("maxmemory", 1_000_000)
        yield
        await client.config_set("maxmemory", 0)


@asynccontextmanager
async def redis_read_only(rig: Rig) -> AsyncIterator[None]:
    """Redis is the replica of a primary that is not there."""
    async with rig.store.client() as client:
        await client.replicaof("127.0.0.1", "1")
        yield
        await client.replicaof("NO", "ONE")


@asynccontextmanager
async def redis_hangs(rig: Rig) -> AsyncIterator[None]:
    """Connections to Redis stay, and nothing comes."""
    rig.store.proxy.flowing.clear()
    yield
    rig.store.proxy.flowing.set()


@asynccontextmanager
async def redis_slow(rig: Rig) -> AsyncIterator[None]:
    """Every reply of Redis comes late."""
    rig.store.proxy.delay_seconds = _SLOW_SECONDS
    yield
    rig.store.proxy.delay_seconds = 0


@asynccontextmanager
async def redis_disconnects(rig: Rig) -> AsyncIterator[None]:
    """All connections to Redis end, at the beginning and in the end."""
    await rig.store.proxy.end()
    yield
    await rig.store.proxy.end()


@asynccontextmanager
async def redis_forgets_scripts(rig: Rig) -> AsyncIterator[None]:
    """Redis forgets the scripts that it was taught, at the beginning and in the end."""
    async with rig.store.client() as client:
        await client.script_flush()
        yield
        await client.script_flush()


# -- Kafka and the API


@asynccontextmanager
async def kafka_killed(rig: Rig) -> AsyncIterator[None]:
    """A Kafka node is killed, and started again on its data."""
    node = rig.rnd.choice(rig.kafka.nodes)
    node.kill()
    try:
        yield
    finally:
        node.start()
        await rig.kafka.wait_ready()


@asynccontextmanager
async def kafka_hangs(rig: Rig) -> AsyncIterator[None]:
    """A Kafka node does nothing, and goes on in the end."""
    process = rig.rnd.choice(rig.kafka.nodes).child.process
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def service_killed(rig: Rig) -> AsyncIterator[None]:
    """The API is killed; another comes in the end."""
    assert rig.service is not None
    rig.service.process.kill()
    yield
    rig.service = await rig.system.start_service()


CONSUMER_FAULTS: list[Fault] = [consumer_killed, consumer_stopped, consumer_joins, consumer_hangs]
REDIS_FAULTS: list[Fault] = [
    redis_killed,
    redis_file_cut,
    redis_emptied,
    redis_restored,
    redis_fails_over,
    redis_full,
    redis_read_only,
    redis_hangs,
    redis_slow,
    redis_disconnects,
    redis_forgets_scripts,
]
KAFKA_FAULTS: list[Fault] = [kafka_killed, kafka_hangs]
API_FAULTS: list[Fault] = [service_killed]
