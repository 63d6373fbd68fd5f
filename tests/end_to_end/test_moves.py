"""What docs/operating.md says of backups and moves, done step by step under a running system; no answer is wrong."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest
from redis import Redis

from deploy.kafka.server import KafkaServers
from deploy.local.process import Child, wait_until
from deploy.local.servers import free_port, start_redis
from tests.end_to_end.checks import assert_answers
from tests.end_to_end.history import make_history, waves
from tests.end_to_end.publisher import Publisher
from tests.end_to_end.system import System
from tests.end_to_end.test_end_to_end import stop
from tests.servers import redis_program


class OwnRedis:
    """A Redis of one test, which may be stopped and started with other options."""

    def __init__(self, folder: Path, stack: ExitStack, options: tuple[str, ...]) -> None:
        self.folder, self._stack = folder, stack
        self.port = free_port()
        self.client = stack.enter_context(Redis(port=self.port))
        self.child = self.start(options)

    def start(self, options: tuple[str, ...]) -> Child:
        """Starts it over what is in its folder."""
        log_path = self.folder.with_suffix(".log")
        self.child = start_redis(redis_program(), self.port, self.folder, log_path, options)
        self._stack.callback(self.child.stop)
        return self.child

    @property
    def url(self) -> str:
        """Where the project's processes find it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def snapshot(self, to: Path) -> None:
        """Writes a snapshot and copies it away."""
        self.client.bgsave()
        wait_until(self.child, lambda: not self.client.info("persistence")["rdb_bgsave_in_progress"], "write it")
        assert self.client.info("persistence")["rdb_last_bgsave_status"] == "ok"
        shutil.copy(self.folder / "dump.rdb", to)


MakeRedis = Callable[..., OwnRedis]


@pytest.fixture
def kafka_bootstrap(kafka: KafkaServers) -> str:
    """Apache Kafka: a group is joined there at once."""
    return kafka.bootstrap


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[MakeRedis]:
    """Starts a Redis with these options."""
    with ExitStack() as stack:
        yield lambda *options: OwnRedis(tmp_path / "redis", stack, options)


async def test_a_snapshot_is_restored(
    system: System, publisher: Publisher, rnd: Random, own_redis: MakeRedis, tmp_path: Path
) -> None:
    """What came after the snapshot is read again from the topic; consumers and the API run all the while."""
    redis = own_redis("--appendonly", "yes")
    await system.start_consumer(STATS_REDIS_URL=redis.url)
    await system.start_service(STATS_REDIS_URL=redis.url)
    first, second, third = waves(make_history(rnd, jobs=3_000, bad_records=9), 3)
    await assert_answers(system, publisher.published, await publisher.publish(first), rnd, count=50)
    await asyncio.to_thread(redis.snapshot, tmp_path / "copy.rdb")
    await assert_answers(system, publisher.published, await publisher.publish(second), rnd, count=50)

    await asyncio.to_thread(redis.child.stop)
    shutil.move(redis.folder / "appendonlydir", tmp_path / "moved")
    shutil.copy(tmp_path / "copy.rdb", redis.folder / "dump.rdb")
    await asyncio.to_thread(redis.start, ("--appendonly", "no"))
    redis.client.config_set("appendonly", "yes")
    await assert_answers(system, publisher.published, await publisher.publish(third), rnd)


async def test_a_new_redis_is_filled_beside_the_old(
    system: System, publisher: Publisher, rnd: Random, own_redis: MakeRedis
) -> None:
    """Consumers of another group fill it from the topic; the API moves, and then they alone count."""
    redis = own_redis()
    old, service = await asyncio.gather(system.start_consumer(), system.start_service())
    first, second = waves(make_history(rnd, jobs=3_000, bad_records=9), 2)
    await assert_answers(system, publisher.published, await publisher.publish(first), rnd, count=50)
    await system.start_consumer("another", STATS_REDIS_URL=redis.url)
    await asyncio.to_thread(service.stop)
    await system.start_service(STATS_REDIS_URL=redis.url)
    assert await stop(old) == 0
    await assert_answers(system, publisher.published, await publisher.publish(second), rnd)


async def test_a_replica_takes_over(
    system: System, publisher: Publisher, rnd: Random, own_redis: MakeRedis, redis_flushed: str
) -> None:
    """The new Redis is in step when the consumers have stopped; what comes meanwhile is read from the topic."""
    redis = own_redis()
    consumer, service = await asyncio.gather(system.start_consumer(), system.start_service())
    first, second, third = waves(make_history(rnd, jobs=3_000, bad_records=9), 3)
    await publisher.publish(first)
    with Redis.from_url(redis_flushed) as old:
        redis.client.replicaof("127.0.0.1", old.connection_pool.connection_kwargs["port"])
        await asyncio.to_thread(wait_until, redis.child, lambda: _is_linked(redis.client), "be linked")
        acknowledged_ms = await publisher.publish(second)
        await assert_answers(system, publisher.published, acknowledged_ms, rnd, count=50)
        assert await stop(consumer) == 0
        await asyncio.to_thread(wait_until, redis.child, lambda: _in_step(redis.client, old), "be in step")
    redis.client.replicaof("NO", "ONE")
    acknowledged_ms = await publisher.publish(third)
    await asyncio.to_thread(service.stop)
    moved = await system.start_consumer(STATS_REDIS_URL=redis.url)
    await system.start_service(STATS_REDIS_URL=redis.url)
    await assert_answers(system, publisher.published, acknowledged_ms, rnd)
    assert await system.records_read(moved) == len(third)


def _is_linked(client: Redis) -> bool:
    return client.info("replication").get("master_link_status") == "up"


def _in_step(replica: Redis, primary: Redis) -> bool:
    offset = primary.info("replication")["master_repl_offset"]
    return bool(replica.info("replication")["slave_repl_offset"] == offset)
