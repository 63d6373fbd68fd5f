"""A whole consumer against a real broker and a real Redis, while these go away, go back in time or come late."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError
from redis.asyncio import Redis

from consumers.dead_letters.letter import DeadLetter
from consumers.dead_letters.queue import DeadLetterQueue
from deploy.local.process import is_ready, wait_until
from deploy.local.servers import create_topics, find_broker, free_port, start_broker
from deploy.local.waiting import eventually
from service.store.errors import EvictionError
from service.store.layout.heads import LAYOUT_VERSION
from service.store.layout.keys import STRIPES, head_key, topic_name_key
from service.store.redis.client import WRITE_TIMEOUT_SECONDS
from service.store.write.batch import fold
from service.store.write.writer import Step, StripeBatch
from tests.conftest import MakeTopic
from tests.consumers.conftest import MakeSettings
from tests.consumers.support import Event, RedisServer, publish, running_consumer
from tests.servers import Processes
from tests.store.proxy import Proxy, Replies, running_proxy
from tests.store.support import event

FIRST: list[Event] = [event(job) for job in range(300)]
SECOND: list[Event] = [event(job, sequence=2, user_id="other") for job in range(200, 500)]
ALL = FIRST + SECOND


@pytest.fixture
def redis_server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A Redis of the test's own, with the options of its parameter."""
    server = RedisServer(tmp_path, request.param)
    yield server
    server.kill()


@pytest.mark.parametrize("redis_server", [["--appendonly", "yes"], []], indirect=True, ids=["kept", "emptied"])
async def test_redis_that_dies_is_waited_for(
    redis_server: RedisServer, make_settings: MakeSettings, kafka_bootstrap: str, topic: str
) -> None:
    """Redis is killed and comes back, with its data or without: the consumer says so, waits, and counts everything."""
    async with running_consumer(make_settings(redis_server.url)) as running:
        await publish(kafka_bootstrap, topic, FIRST)
        await running.wait_counted(FIRST)
        await running.wait_not_ready([])
        redis_server.kill()
        await publish(kafka_bootstrap, topic, SECOND)
        await running.wait_not_ready(["redis"])
        redis_server.start()
        await running.wait_counted(ALL)
        await running.wait_not_ready([])
        assert running.count("redis_errors") > 0


@pytest.mark.parametrize("kept", [True, False], ids=["restored", "emptied"])
async def test_redis_that_goes_back_is_noticed_without_any_event(
    redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str, topic: str, kept: bool
) -> None:
    """A Redis restored to an older state, or emptied, under an idle consumer is fenced, and healed from the topic."""
    async with running_consumer(make_settings(redis_flushed)) as running:
        await publish(kafka_bootstrap, topic, FIRST)
        await running.wait_counted(FIRST)
        older = {key: await running.redis.dump(key) async for key in running.redis.scan_iter()}
        await publish(kafka_bootstrap, topic, SECOND)
        await running.wait_counted(ALL)
        await running.wait_at(len(ALL))
        assert running.count("fence_refusals") == 0

        async with running.redis.pipeline(transaction=True) as pipeline:
            pipeline.flushdb()
            for key, value in older.items():
                if kept and value is not None:
                    pipeline.restore(key, 0, value)
            await pipeline.execute()
        await running.wait_counted(ALL)
        await running.wait_at(len(ALL))
        assert running.count("fence_refusals") >= 1
        assert running.count("resyncs", reason="FencedError") >= 1


async def test_a_writer_that_should_be_gone_is_noticed(
    redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str, topic: str
) -> None:
    """When a former owner of the partition still writes, the consumer is fenced, looks again, and counts right."""
    late = [event(job) for job in range(1_000, 1_100)]
    async with running_consumer(make_settings(redis_flushed)) as running:
        await publish(kafka_bootstrap, topic, FIRST)
        await running.wait_counted(FIRST)
        await running.wait_at(len(FIRST))
        [(stripe, projects)] = fold(late).items()
        step = Step(0, len(FIRST), len(FIRST) + len(late), 0)
        await running.writer.apply(1, [StripeBatch(stripe, [step], projects)])
        await eventually(lambda: running.count("fence_refusals") == 1, "the consumer was fenced")
        await publish(kafka_bootstrap, topic, [*late, *SECOND])
        await running.wait_counted([*ALL, *late])
        assert running.count("fence_refusals") == 1


async def test_two_who_fence_each_other_do_not_fill_the_log(
    redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Consumers of two groups with one Redis: each tells of it once a minute, as of any trouble, and all is counted."""
    caplog.set_level(logging.INFO, "consumers")
    published: list[Event] = []
    async with (
        running_consumer(make_settings(redis_flushed)) as one,
        running_consumer(make_settings(redis_flushed, kafka_group_id="another")) as other,
    ):
        while one.count("fence_refusals") < 3 or other.count("fence_refusals") < 3:
            published.append(event(len(published)))
            await publish(kafka_bootstrap, topic, published[-1:])
        await one.wait_counted(published)
        assert caplog.messages.count("starting again from the store's offsets") == 2
        assert caplog.messages.count("reading from the store's offsets") <= 4


async def test_dead_letters_that_cannot_be_written_hold_the_partition(
    redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    """While the dead-letter topic is away nothing of the batch is applied; afterwards nothing was skipped.

    The log does not say at each attempt that it reads.
    """
    caplog.set_level(logging.INFO, "consumers")
    offsets_when_failing: list[set[int]] = []
    written: list[int] = []

    class FailingQueue(DeadLetterQueue):
        async def send(self, letters: Sequence[DeadLetter]) -> None:
            if letters and len(offsets_when_failing) < 3:
                offsets_when_failing.append(await running.offsets())
                raise KafkaConnectionError("the dead-letter topic is away")
            await super().send(letters)
            written.extend(letter.offset for letter in letters)

    async with running_consumer(make_settings(redis_flushed), create_queue=FailingQueue) as running:
        await publish(kafka_bootstrap, topic, FIRST)
        await running.wait_counted(FIRST)
        await running.wait_at(len(FIRST))
        await publish(kafka_bootstrap, topic, [b"no event", *SECOND])
        await running.wait_counted(ALL)
        await running.wait_at(len(ALL) + 1)
        assert offsets_when_failing == [{len(FIRST)}] * 3
        assert written == [len(FIRST)]
        assert running.count("resyncs", reason="DeadLettersUnavailableError") == 3
        assert running.count("dead_letters", reason="not_json") == 1
        assert caplog.messages.count("reading from the store's offsets") == 1


async def test_a_missing_topic_is_waited_for(
    redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Without its topic the consumer says so and waits; once there, the topic is read, and dead letters have theirs."""
    caplog.set_level(logging.INFO, "consumers")
    name = f"later-{topic}"
    async with running_consumer(make_settings(redis_flushed, kafka_topic=name)) as running:
        await eventually(lambda: "waiting for the topic to exist" in caplog.messages, "the consumer says it waits")
        assert await running.consumer.not_ready() == ["kafka"]
        await create_topics(kafka_bootstrap, {name: 1})
        await publish(kafka_bootstrap, name, [b"no event", *FIRST])
        await running.wait_counted(FIRST)
        assert running.count("dead_letters", reason="not_json") == 1
        assert caplog.messages.count("the topic exists now") == 1


@pytest.fixture
def broker_program(pytestconfig: pytest.Config) -> str:
    """The path of the embedded broker."""
    return find_broker(pytestconfig.rootpath / ".local" / "home")


async def test_a_broker_that_is_away_is_waited_for_and_does_not_keep_a_consumer_from_stopping(
    redis_flushed: str, topic: str, processes: Processes, broker_program: str, tmp_path: Path
) -> None:
    """A consumer that starts before its broker says so, works once it is there, and stops with 0 after it is gone."""
    port, metrics_port = free_port(), free_port()
    bootstrap = f"127.0.0.1:{port}"
    environment = {
        "STATS_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "STATS_KAFKA_TOPIC": topic,
        "STATS_REDIS_URL": redis_flushed,
        "STATS_METRICS_PORT": str(metrics_port),
    }
    child = processes.start("consumers", environment)
    await eventually(lambda: "Kafka is not usable, trying again" in child.log_path.read_text(), "it says what is away")
    assert not is_ready(metrics_port)
    broker = start_broker(broker_program, port, tmp_path / "broker.log")
    try:
        await create_topics(bootstrap, {topic: 1})
        await asyncio.to_thread(wait_until, child, lambda: is_ready(metrics_port), "get ready")
    finally:
        broker.stop()
    await eventually(lambda: "Unable connect to node" in child.log_path.read_text(), "it knows that the broker is gone")
    child.process.terminate()
    assert await asyncio.to_thread(child.process.wait, 30) == 0
    assert "Traceback" not in child.log_path.read_text()


async def test_a_topic_made_anew_is_read_from_its_beginning(
    redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str, topic: str, make_topic: MakeTopic
) -> None:
    """Where a topic ends before what the store has applied, it is another: all of it is read, and adds to the rest."""
    async with running_consumer(make_settings(redis_flushed)) as running:
        await publish(kafka_bootstrap, topic, FIRST)
        await running.wait_counted(FIRST)
        await running.wait_at(len(FIRST))
        await running.redis.delete(topic_name_key())  # as an operator does who has renamed the topic
    anew = await make_topic(partitions=1)
    await publish(kafka_bootstrap, anew, SECOND[:200])
    async with running_consumer(make_settings(redis_flushed, kafka_topic=anew, kafka_group_id=anew)) as running:
        await running.wait_counted([*FIRST, *SECOND[:200]])
        await publish(kafka_bootstrap, anew, SECOND[200:])
        await running.wait_counted(ALL)
        await running.wait_at(len(SECOND))


async def test_settings_that_are_wrong_are_named(processes: Processes) -> None:
    """The process ends at once with status 2 and a line for each wrong setting, without its value."""
    child = processes.start(
        "consumers",
        {
            "STATS_KAFKA_BOOTSTRAP_SERVERS": "no port",
            "STATS_REDIS_URL": "http://:secret@localhost",
            "STATS_METRICS_PORT": "65536",
        },
    )
    assert await asyncio.to_thread(child.process.wait, 30) == 2
    lines = child.log_path.read_text().splitlines()
    assert sorted(line.partition(":")[0] for line in lines) == [
        "STATS_KAFKA_BOOTSTRAP_SERVERS",
        "STATS_METRICS_PORT",
        "STATS_REDIS_URL",
    ]
    assert "secret" not in child.log_path.read_text()


async def test_another_layout_ends_the_process(
    redis_flushed: str, kafka_bootstrap: str, topic: str, processes: Processes
) -> None:
    """A store of another layout is left alone: status 3, and one line that says which setting leads there."""
    async with Redis.from_url(redis_flushed) as client:
        await client.set(head_key(STRIPES - 1), (LAYOUT_VERSION + 1).to_bytes(4, "little") + bytes(4))
        environment = {
            "STATS_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
            "STATS_KAFKA_TOPIC": topic,
            "STATS_KAFKA_GROUP_ID": f"group-of-{topic}",
            "STATS_REDIS_URL": redis_flushed,
            "STATS_METRICS_PORT": str(free_port()),
            "STATS_LOG_LEVEL": "CRITICAL",
        }
        child = processes.start("consumers", environment)
        assert await asyncio.to_thread(child.process.wait, 60) == 3
        [line] = child.log_path.read_text().splitlines()
        assert f"the store has layout version {LAYOUT_VERSION + 1}, this process knows" in line
        assert await client.dbsize() == 1


@pytest.fixture
async def proxy(redis_flushed: str) -> AsyncIterator[Proxy]:
    """A proxy in front of the emptied Redis."""
    async with running_proxy(redis_flushed) as proxy:
        yield proxy


async def test_redis_that_hangs_is_given_up_and_tried_again(
    proxy: Proxy, make_settings: MakeSettings, kafka_bootstrap: str, topic: str
) -> None:
    """A connection that stays open and answers nothing is replaced; what may have been written counts once."""
    async with running_consumer(make_settings(proxy.url), redis_timeout_seconds=0.5) as running:
        await publish(kafka_bootstrap, topic, FIRST)
        await running.wait_counted(FIRST)
        proxy.replies = Replies.KEEP
        await publish(kafka_bootstrap, topic, SECOND)
        await proxy.withheld.wait()
        await running.wait_not_ready(["redis"])
        proxy.replies = Replies.PASS
        await running.wait_counted(ALL)
        assert running.count("redis_errors") > 0


async def test_a_consumer_stops_while_redis_hangs(proxy: Proxy, make_settings: MakeSettings) -> None:
    """It does not wait for a reply that it only asks for to know where to begin."""
    proxy.replies = Replies.KEEP
    async with asyncio.timeout(None) as bound, running_consumer(make_settings(proxy.url)) as running:
        await running.wait_not_ready(["redis"])
        await proxy.withheld.wait()
        # long before the reply would be given up
        bound.reschedule(asyncio.get_running_loop().time() + WRITE_TIMEOUT_SECONDS / 2)


async def test_a_consumer_stops_while_the_broker_hangs(redis_flushed: str, make_settings: MakeSettings) -> None:
    """A broker that takes connections and never answers does not keep the process."""
    connected = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    bootstrap = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    settings = make_settings(redis_flushed, kafka_bootstrap_servers=bootstrap)
    async with server, asyncio.timeout(10), running_consumer(settings):  # a request is given up after 15 s
        await connected.wait()


async def test_redis_that_evicts_is_refused_at_start(redis_flushed: str, processes: Processes) -> None:
    """Status 2, and one line that names the setting and the policy, before Kafka is asked for anything."""
    async with Redis.from_url(redis_flushed) as client:
        await client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            environment = {
                "STATS_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
                "STATS_REDIS_URL": redis_flushed,
                "STATS_METRICS_PORT": str(free_port()),
                "STATS_LOG_LEVEL": "CRITICAL",
            }
            child = processes.start("consumers", environment)
            assert await asyncio.to_thread(child.process.wait, 60) == 2
        finally:
            await client.config_set("maxmemory-policy", "noeviction")
    [line] = child.log_path.read_text().splitlines()
    assert "STATS_REDIS_URL: Redis has maxmemory-policy allkeys-lru" in line


@pytest.mark.parametrize("redis_server", [["--maxmemory-policy", "allkeys-random"]], indirect=True, ids=["evicts"])
async def test_redis_that_was_away_at_start_is_asked_for_its_policy_later(
    redis_server: RedisServer, make_settings: MakeSettings
) -> None:
    """Nothing is read before it is known that counters stay."""
    redis_server.kill()

    async def run_until_it_ends() -> None:
        async with running_consumer(make_settings(redis_server.url)) as running:
            await eventually(lambda: running.count("redis_errors") > 0, "the consumer knows that Redis is away")
            redis_server.start()
            await asyncio.wait([running.working])

    with pytest.raises(EvictionError, match="allkeys-random"):
        await run_until_it_ends()
