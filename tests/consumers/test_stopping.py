"""Kafka clients that are stopped while their broker hangs."""

import asyncio
import gc
import logging
import signal
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaClient, ConsumerRebalanceListener, TopicPartition

from consumers.dead_letters.letter import DeadLetter
from consumers.dead_letters.queue import DeadLetterQueue, WrittenLetters, create_producer
from consumers.kafka.clients import connection_options, create_consumer
from consumers.kafka.stopping import stop_client
from deploy.kafka.server import KafkaServers
from deploy.kafka.topics import create_topic
from deploy.local.waiting import eventually
from service.runtime.settings import ConsumerSettings
from service.store.redis.clock import system_now_ms
from tests.consumers.conftest import MakeSettingsOn
from tests.consumers.support import running_consumer


@pytest.fixture
async def settings(kafka: KafkaServers, make_settings_on: MakeSettingsOn) -> AsyncIterator[ConsumerSettings]:
    """Those of a consumer on Apache Kafka, which answers again when the test is over."""
    settings = await make_settings_on(kafka, partitions=2)
    await create_topic(kafka.bootstrap, settings.kafka_dead_letter_topic, 1)
    yield settings
    kafka.nodes[0].child.process.send_signal(signal.SIGCONT)


async def stop_while_it_hangs(kafka: KafkaServers, settings: ConsumerSettings) -> set[asyncio.Task[Any]]:
    """Stops clients of each kind, with requests under way; returns their tasks that go on."""
    options = connection_options(settings)
    before = asyncio.all_tasks()
    producer, client = create_producer(**options), AIOKafkaClient(**options)
    consumer = create_consumer(settings, system_now_ms)
    known, letter = [DeadLetter("events", 0, offset, 1, b"key", b"value", [], "refused", "d") for offset in (6, 7)]
    letters = DeadLetterQueue(producer, settings.kafka_dead_letter_topic, WrittenLetters())
    for start in (producer.start, client.bootstrap, consumer.start):
        await start()
    consumer.subscribe([settings.kafka_topic])
    await letters.send([known])
    await eventually(lambda: len(consumer.assignment()) == 2, "it has its partitions")
    kafka.nodes[0].child.process.send_signal(signal.SIGSTOP)
    tps = list(consumer.assignment())
    under_way = [asyncio.create_task(each) for each in (letters.send([letter]), consumer.end_offsets(tps))]
    await asyncio.wait(under_way, timeout=0.2)
    for each in under_way:
        each.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)
    for stopped in (consumer, client, producer):
        await stop_client(stopped, 0.2)
    return {task for task in asyncio.all_tasks() - before if not task.done()}


async def test_nothing_goes_on_of_clients_that_were_stopped_while_their_broker_hung(
    kafka: KafkaServers, settings: ConsumerSettings
) -> None:
    """No task of theirs is left, that would read for nobody, and no connection is."""
    with warnings.catch_warnings(record=True) as unclosed:
        warnings.simplefilter("always", ResourceWarning)
        assert await stop_while_it_hangs(kafka, settings) == set()
        gc.collect()
    assert [str(each.message) for each in unclosed] == []


class Holding(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Keeps a member from joining anew, so that the group waits for it; `asked` says that the group does."""

    def __init__(self) -> None:
        self.assigned, self.asked, self.free = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        """Waits until it may go on, unless it has had no partition yet."""
        if self.assigned.is_set():
            self.asked.set()
            await self.free.wait()

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        """Says that it has joined."""
        self.assigned.set()


async def test_a_consumer_that_joins_its_group_is_stopped_without_a_warning(
    settings: ConsumerSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """Its join is answered only once all members have joined, and nobody waits so long."""
    caplog.set_level(logging.INFO, "consumers")
    holding, member = Holding(), create_consumer(settings, system_now_ms)
    member.subscribe([settings.kafka_topic], listener=holding)
    await member.start()
    await holding.assigned.wait()
    async with running_consumer(settings):
        await holding.asked.wait()
    holding.free.set()
    await member.stop()
    assert "a Kafka client was ended before its broker had answered" in caplog.messages
    ours = [each for each in caplog.records if each.name.startswith("consumers")]
    assert [each.message for each in ours if each.levelno >= logging.WARNING] == []


async def give_up_while_it_starts(client: Any, start: Callable[[], Awaitable[None]], turns: int) -> bool:
    """Cancels a client's start after so many turns of the loop, and stops it; returns whether it had started."""
    starting = asyncio.ensure_future(start())
    for _ in range(turns):
        await asyncio.sleep(0)
    has_started = starting.done()
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    await stop_client(client, 0.2)
    return has_started


@pytest.mark.parametrize("kind", ["producer", "client", "consumer"])
async def test_no_connection_is_left_of_a_client_that_is_stopped_while_it_starts(
    kind: str, settings: ConsumerSettings
) -> None:
    """At whatever turn of the loop."""
    options = connection_options(settings)
    with warnings.catch_warnings(record=True) as unclosed:
        warnings.simplefilter("always", ResourceWarning)
        turns, has_started = 0, False
        while not has_started:
            client: Any
            if kind == "client":
                client = AIOKafkaClient(**options)
            else:
                client = create_producer(**options) if kind == "producer" else create_consumer(settings, system_now_ms)
            start = client.bootstrap if kind == "client" else client.start
            has_started = await give_up_while_it_starts(client, start, turns)
            del client, start
            turns += 1 + turns // 20
        gc.collect()
    assert [str(each.message) for each in unclosed] == []


async def test_no_connection_is_left_of_a_consumer_that_is_stopped_while_it_starts(settings: ConsumerSettings) -> None:
    """Wherever it is."""
    with warnings.catch_warnings(record=True) as unclosed:
        warnings.simplefilter("always", ResourceWarning)
        for turns in range(0, 60, 3):
            async with running_consumer(settings):
                for _ in range(turns):
                    await asyncio.sleep(0.001)
            gc.collect()
    assert [str(each.message) for each in unclosed] == []
