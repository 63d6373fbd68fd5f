"""What breaks, by name. Each fault begins when its block is entered and is over when the block ends, also by an error.

So a test that fails leaves the next one a system that is whole.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

from aiokafka import AIOKafkaProducer
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from deploy.local.waiting import eventually
from tests.chaos.rig import Rig
from tests.chaos.store import CONSUMERS
from tests.end_to_end.system import RunningConsumer
from tests.end_to_end.traffic import life, make_record

Fault = Callable[[Rig], AbstractAsyncContextManager[None]]

_log = logging.getLogger(__name__)

_SLOW_SECONDS = 0.2
_MOMENT_SECONDS = 2.0
_JOIN_SECONDS = 8.0
_REPEAT_SECONDS = 0.05
_COMMANDS = ("set", "setrange", "append", "del", "hset", "hdel", "sadd", "evalsha", "script|load")
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
    try:
        yield
    finally:
        rig.consumers[rig.consumers.index(consumer)] = rig.system.launch_consumer()


@asynccontextmanager
async def consumer_stopped(rig: Rig) -> AsyncIterator[None]:
    """A consumer is told to stop, and does; another comes in the end."""
    consumer = _any_consumer(rig)
    await stop_consumer(consumer)
    try:
        yield
    finally:
        rig.consumers[rig.consumers.index(consumer)] = rig.system.launch_consumer()


@asynccontextmanager
async def consumer_joins(rig: Rig) -> AsyncIterator[None]:
    """One more consumer joins, and leaves in the end."""
    consumer = rig.system.launch_consumer()
    try:
        yield
    finally:
        await stop_consumer(consumer)


@asynccontextmanager
async def consumer_hangs(rig: Rig) -> AsyncIterator[None]:
    """A consumer does nothing, and goes on in the end as if nothing had been."""
    consumer = _any_consumer(rig)
    consumer.child.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        consumer.child.process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def consumer_ahead(rig: Rig) -> AsyncIterator[None]:
    """One more consumer joins whose clock is an hour ahead; in the end it leaves, or is killed.

    What it read nobody reads then for as long as a member of a group may be silent, and as-of must not go on.
    """
    consumer = rig.system.launch_consumer(module="tests.chaos.consumer_ahead")
    try:
        with suppress(TimeoutError):  # something else may be broken that it needs
            async with asyncio.timeout(_JOIN_SECONDS):
                await eventually(
                    lambda: "reading from" in consumer.child.log_path.read_text(), "it reads", within_seconds=60
                )
        yield
    finally:
        if rig.rnd.random() < 0.5:
            consumer.child.process.kill()
        else:
            await stop_consumer(consumer)


# -- Redis


@asynccontextmanager
async def redis_killed(rig: Rig) -> AsyncIterator[None]:
    """Redis is killed, and started again over its file: the last second may be lost."""
    with rig.reader.store_goes_back():
        rig.store.kill()
        try:
            yield
        finally:
            rig.store.start()


@asynccontextmanager
async def redis_file_cut(rig: Rig) -> AsyncIterator[None]:
    """Redis is killed, and its file has lost its end when it comes back."""
    with rig.reader.store_goes_back():
        rig.store.kill()
        try:
            yield
        finally:
            rig.store.cut_file(rig.rnd.randrange(1, 200_000))
            rig.store.start()


@asynccontextmanager
async def redis_loses_power(rig: Rig) -> AsyncIterator[None]:
    """Redis is killed, and what it wrote last ends inside of a script's writes when it comes back."""
    with rig.reader.store_goes_back():
        rig.store.kill()
        try:
            yield
        finally:
            rig.store.cut_block(rig.rnd)
            rig.store.start()


@asynccontextmanager
async def redis_loses_power_twice(rig: Rig) -> AsyncIterator[None]:
    """Redis loses power, and again when it is hardly back; in the end it is started anew as planned."""
    with rig.reader.store_goes_back():
        for _ in range(2):
            rig.store.kill()
            rig.store.cut_block(rig.rnd)
            rig.store.start()
            await asyncio.sleep(rig.rnd.uniform(0, _MOMENT_SECONDS))
        yield
        rig.store.restart()


@asynccontextmanager
async def redis_emptied(rig: Rig) -> AsyncIterator[None]:
    """Redis is killed, and an empty one takes its place."""
    with rig.reader.store_goes_back():
        rig.store.kill()
        try:
            yield
        finally:
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
        try:
            yield
        finally:
            await client.config_set("maxmemory", 0)


@asynccontextmanager
async def redis_read_only(rig: Rig) -> AsyncIterator[None]:
    """Redis is the replica of a primary that is not there."""
    async with rig.store.client() as client:
        await client.replicaof("127.0.0.1", "1")
        try:
            yield
        finally:
            await client.replicaof("NO", "ONE")


@asynccontextmanager
async def redis_hangs(rig: Rig) -> AsyncIterator[None]:
    """Connections to Redis stay, and nothing comes."""
    rig.store.proxy.flowing.clear()
    try:
        yield
    finally:
        rig.store.proxy.flowing.set()


@asynccontextmanager
async def redis_slow(rig: Rig) -> AsyncIterator[None]:
    """Every reply of Redis comes late."""
    rig.store.proxy.delay_seconds = _SLOW_SECONDS
    try:
        yield
    finally:
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


@asynccontextmanager
async def redis_forbids_a_command(rig: Rig) -> AsyncIterator[None]:
    """The consumers' user may not run one of the commands that they write with."""
    command = rig.rnd.choice(_COMMANDS)
    _log.info("forbidden: %s", command)
    async with rig.store.client() as client:
        await client.acl_setuser(CONSUMERS, enabled=True, commands=[f"-{command}"])
        try:
            yield
        finally:
            await client.acl_setuser(CONSUMERS, enabled=True, commands=[f"+{command}"])


@asynccontextmanager
async def redis_kills_scripts(rig: Rig) -> AsyncIterator[None]:
    """Somebody ends scripts that run for more than a millisecond, if they have written nothing yet."""
    async with rig.store.client() as client:
        await client.config_set("busy-reply-threshold", 1)
        try:
            async with _repeated(lambda: _kill_script(client)):
                yield
        finally:
            await eventually(lambda: _tolerate_scripts(client), "Redis is not busy for a moment")


async def _tolerate_scripts(client: Redis) -> bool:
    try:
        await client.config_set("busy-reply-threshold", 5_000)
    except ResponseError as error:
        if not str(error).startswith("BUSY"):
            raise
        return False
    return True


async def _kill_script(client: Redis) -> None:
    try:
        await client.script_kill()
    except ResponseError as error:
        if not str(error).startswith(("NOTBUSY", "UNKILLABLE")):
            raise


@asynccontextmanager
async def redis_kills_connections(rig: Rig) -> AsyncIterator[None]:
    """Redis ends all connections again and again."""
    async with rig.store.client() as client, _repeated(lambda: client.client_kill_filter(skipme=True)):
        yield


@asynccontextmanager
async def _repeated(action: Callable[[], Awaitable[Any]]) -> AsyncIterator[None]:
    """While the block runs something is done several times a second."""
    ended = asyncio.Event()

    async def repeat() -> None:  # not cancelled: a client of Redis may swallow that
        while not ended.is_set():
            await action()
            await asyncio.sleep(_REPEAT_SECONDS)

    repeating = asyncio.create_task(repeat())
    try:
        yield
    finally:
        ended.set()
        await repeating


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
async def transaction_open(rig: Rig) -> AsyncIterator[None]:
    """A transaction holds back all that comes after it in some partitions; it is committed in the end, or aborted."""
    commits = rig.rnd.random() < 0.5
    records = [make_record(rig.rnd, event) for _ in range(rig.rnd.randint(1, 20)) for event in life(rig.rnd, -1)]
    producer = AIOKafkaProducer(bootstrap_servers=rig.kafka.bootstrap, transactional_id=f"of {rig.topic}")
    async with producer:
        await producer.begin_transaction()
        for record in records:
            await producer.send(rig.topic, record.value, record.key, partition=record.partition)
        await producer.flush()
        yield
        if commits:
            await producer.commit_transaction()
            rig.load.published_elsewhere(records)
        else:
            await producer.abort_transaction()


@asynccontextmanager
async def service_killed(rig: Rig) -> AsyncIterator[None]:
    """The API is killed; another comes in the end."""
    assert rig.service is not None
    rig.service.process.kill()
    try:
        yield
    finally:
        rig.service = await rig.system.start_service()


CONSUMER_FAULTS: list[Fault] = [consumer_killed, consumer_stopped, consumer_joins, consumer_hangs, consumer_ahead]
REDIS_FAULTS: list[Fault] = [
    redis_killed,
    redis_file_cut,
    redis_loses_power,
    redis_loses_power_twice,
    redis_emptied,
    redis_restored,
    redis_fails_over,
    redis_full,
    redis_read_only,
    redis_hangs,
    redis_slow,
    redis_disconnects,
    redis_forgets_scripts,
    redis_forbids_a_command,
    redis_kills_scripts,
    redis_kills_connections,
]
KAFKA_FAULTS: list[Fault] = [kafka_killed, kafka_hangs, transaction_open]
API_FAULTS: list[Fault] = [service_killed]
