"""A whole consumer against a real broker and a real Redis, while these go away, go back in time or come late."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError
from redis.asyncio import Redis

from consumers import __main__ as consumers_main
from consumers.dead_letters import DeadLetter, DeadLetterQueue
from deploy.local.process import is_ready, wait_until
from deploy.local.servers import create_topics, find_broker, free_port, start_broker
from service.settings import ConsumerSettings
from service.store.batch import fold
from service.store.layout import LAYOUT_VERSION, STRIPES, head_key
from service.store.writer import Step, StripeBatch
from tests.conftest import MakeTopic
from tests.integration.support import Event, RedisServer, eventually, publish, running_consumer
from tests.servers import Processes
from tests.store.support import event

FIRST: list[Event] = [event(job) for job in range(300)]
SECOND: list[Event] = [event(job, sequence=2, user_id="other") for job in range(200, 500)]
ALL = FIRST + SECOND

MakeSettings = Callable[..., ConsumerSettings]


@pytest.fixture
async def topic(make_topic: MakeTopic) -> str:
    """A topic of one partition."""
    return await make_topic(partitions=1)


@pytest.fixture
def make_settings(kafka_bootstrap: str, topic: str) -> MakeSettings:
    """Settings of a consumer: `make_settings(redis_url, **changes)`."""

    def make(redis_url: str, **changes: str) -> ConsumerSettings:
        given = {
            "kafka_bootstrap_servers": kafka_bootstrap,
            "kafka_topic": topic,
            "kafka_dead_letter_topic": f"{topic}.dead-letters",
            "kafka_group_id": f"group-of-{topic}",
            "redis_url": redis_url,
        }
        return ConsumerSettings.model_validate({**given, **changes})

    return make


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
        await eventually(lambda: are_at(running.offsets(), {len(ALL)}), "all stripes know of all records")
        assert running.count("fence_refusals") == 0

        async with running.redis.pipeline(transaction=True) as pipeline:
            pipeline.flushdb()
            for key, value in older.items():
                if kept and value is not None:
                    pipeline.restore(key, 0, value)
            await pipeline.execute()
        await running.wait_counted(ALL)
        await eventually(lambda: are_at(running.offsets(), {len(ALL)}), "all stripes know of all records again")
        assert running.count("fence_refusals") >= 1
        assert running.count("resyncs", reason="FencedError") >= 1


async def are_at(offsets: Awaitable[set[int]], expected: set[int]) -> bool:
    """Whether these offsets are as expected."""
    return await offsets == expected


async def test_a_writer_that_should_be_gone_is_noticed(
    redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str, topic: str
) -> None:
    """When a former owner of the partition still writes, the consumer is fenced, looks again, and counts right."""
    late = [event(job) for job in range(1_000, 1_100)]
    async with running_consumer(make_settings(redis_flushed)) as running:
        await publish(kafka_bootstrap, topic, FIRST)
        await running.wait_counted(FIRST)
        await eventually(lambda: are_at(running.offsets(), {len(FIRST)}), "all stripes know of all records")
        [(stripe, projects)] = fold(late).items()
        step = Step(0, len(FIRST), len(FIRST) + len(late), 0)
        await running.writer.apply(1, [StripeBatch(stripe, [step], projects)])
        await eventually(lambda: running.count("fence_refusals") == 1, "the consumer was fenced")
        await publish(kafka_bootstrap, topic, [*late, *SECOND])
        await running.wait_counted([*ALL, *late])
        assert running.count("fence_refusals") == 1


async def test_dead_letters_that_cannot_be_written_hold_the_partition(
    redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the dead-letter topic is away nothing of the batch is applied; afterwards nothing was skipped."""
    offsets_when_failing: list[set[int]] = []
    written: list[int] = []

    class FailingQueue(DeadLetterQueue):
        async def send(self, letters: Sequence[DeadLetter]) -> None:
            if letters and len(offsets_when_failing) < 3:
                offsets_when_failing.append(await running.offsets())
                raise KafkaConnectionError("the dead-letter topic is away")
            await super().send(letters)
            written.extend(letter.offset for letter in letters)

    monkeypatch.setattr(consumers_main, "DeadLetterQueue", FailingQueue)
    async with running_consumer(make_settings(redis_flushed)) as running:
        await publish(kafka_bootstrap, topic, FIRST)
        await running.wait_counted(FIRST)
        await eventually(lambda: are_at(running.offsets(), {len(FIRST)}), "all stripes know of all records")
        await publish(kafka_bootstrap, topic, [b"no event", *SECOND])
        await running.wait_counted(ALL)
        await eventually(lambda: are_at(running.offsets(), {len(ALL) + 1}), "all stripes know of all records")
        assert offsets_when_failing == [{len(FIRST)}] * 3
        assert written == [len(FIRST)]
        assert running.count("resyncs", reason="DeadLettersUnavailableError") == 3
        assert running.count("dead_letters", reason="not_json") == 1


async def test_a_missing_topic_is_waited_for(
    redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Without its topic the consumer says so and waits; once there, the topic is read, and dead letters have theirs."""
    caplog.set_level(logging.WARNING, "consumers")
    name = f"later-{topic}"
    async with running_consumer(make_settings(redis_flushed, kafka_topic=name)) as running:
        await eventually(lambda: "waiting for the topic to exist" in caplog.messages, "the consumer says it waits")
        assert await running.consumer.not_ready() == ["kafka"]
        await create_topics(kafka_bootstrap, {name: 1})
        await publish(kafka_bootstrap, name, [b"no event", *FIRST])
        await running.wait_counted(FIRST)
        assert running.count("dead_letters", reason="not_json") == 1


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
        await eventually(lambda: are_at(running.offsets(), {len(FIRST)}), "all stripes know of all records")
    anew = await make_topic(partitions=1)
    await publish(kafka_bootstrap, anew, SECOND[:200])
    async with running_consumer(make_settings(redis_flushed, kafka_topic=anew, kafka_group_id=anew)) as running:
        await running.wait_counted([*FIRST, *SECOND[:200]])
        await publish(kafka_bootstrap, anew, SECOND[200:])
        await running.wait_counted(ALL)
        await eventually(lambda: are_at(running.offsets(), {len(SECOND)}), "all stripes know of all records")


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
        assert f"the store has layout version {LAYOUT_VERSION + 1}, this process knows {LAYOUT_VERSION}" in line
        assert await client.dbsize() == 1
