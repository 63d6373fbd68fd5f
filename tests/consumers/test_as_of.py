"""As-of on Apache Kafka: whatever was acknowledged before it is in the answer, or it is not claimed."""

import asyncio
import json
import math
import random
import time
from collections.abc import Sequence

import pytest
from aiokafka import AIOKafkaProducer

from deploy.kafka.server import KafkaServers
from deploy.local.waiting import eventually
from service.store.errors import StoreUnavailableError
from service.store.read.reader import RedisStatisticsStore
from tests.consumers.conftest import MakeSettingsOn
from tests.consumers.support import Event, RunningConsumer, publish, record_of, running_consumer
from tests.store.support import event

FIRST: list[Event] = [event(job, project_id="acme") for job in range(20)]
HELD: list[Event] = [event(job, project_id="acme") for job in range(100, 120)]
BEHIND: list[Event] = [event(job, project_id="acme") for job in range(200, 220)]


def now_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


async def ask(running: RunningConsumer) -> tuple[int, int]:
    """As-of, and how many jobs the answer has."""
    answer = await RedisStatisticsStore(running.redis).read("acme", None, None, None)
    return answer.as_of_ms, json.loads(answer.body)["total_running_num"]


def watermark_ms(running: RunningConsumer, partition: int) -> float:
    """What the consumer says of a partition."""
    labels = {"partition": str(partition)}
    return 1_000 * (running.registry.get_sample_value("stats_consumer_watermark_timestamp_seconds", labels) or 0)


def lag_seconds(running: RunningConsumer, partition: int) -> float:
    """The age of the oldest record of a partition that may not be applied; NaN: not known."""
    labels = {"partition": str(partition)}
    lag = running.registry.get_sample_value("stats_consumer_lag_seconds", labels)
    return math.nan if lag is None else lag


@pytest.mark.parametrize("ends", ["commit_transaction", "abort_transaction"])
async def test_as_of_stands_still_behind_an_open_transaction(
    kafka: KafkaServers, make_settings_on: MakeSettingsOn, ends: str
) -> None:
    """Events acknowledged behind it cannot be read yet; once they can as-of goes on, beyond the transaction's mark."""
    settings = await make_settings_on(kafka, partitions=2)
    transactional_id = f"transactions-of-{settings.kafka_topic}"
    async with (
        AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=transactional_id) as transaction,
        running_consumer(settings) as running,
    ):
        await publish(kafka.bootstrap, settings.kafka_topic, FIRST)
        await running.wait_counted(FIRST)
        await transaction.begin_transaction()
        for each in HELD:
            key, value = record_of(each)
            await transaction.send_and_wait(settings.kafka_topic, value, key, partition=0)
        await publish(kafka.bootstrap, settings.kafka_topic, BEHIND)
        acknowledged_ms = now_ms()

        await eventually(lambda: watermark_ms(running, 1) > acknowledged_ms + 1_000, "the idle partition is fresh")
        assert watermark_ms(running, 0) < acknowledged_ms
        assert lag_seconds(running, 0) > 1
        await eventually(lambda: lag_seconds(running, 1) == 0, "nothing of the idle partition waits")
        as_of_ms, jobs = await ask(running)
        assert as_of_ms < acknowledged_ms
        assert jobs == len(FIRST)

        await getattr(transaction, ends)()
        ended_ms = now_ms()
        await running.wait_counted([*FIRST, *BEHIND, *(HELD if ends.startswith("commit") else [])])
        await eventually(lambda: watermark_ms(running, 0) > ended_ms, "as-of goes on")
        await eventually(lambda: lag_seconds(running, 0) == 0, "nothing waits")
        assert running.registry.get_sample_value("stats_consumer_assigned_partitions") == 2
    assert running.registry.get_sample_value("stats_consumer_assigned_partitions") == 0
    assert watermark_ms(running, 0) == 0
    assert math.isnan(lag_seconds(running, 0)), "what its partitions said is gone with its Kafka clients"


async def test_as_of_goes_on_beyond_the_mark_of_a_transaction_at_the_end(
    kafka: KafkaServers, make_settings_on: MakeSettingsOn
) -> None:
    """An aborted one at that: nothing is handed out for it, and the offsets in the store go beyond it all the same."""
    settings = await make_settings_on(kafka, partitions=1)
    transactional_id = f"transactions-of-{settings.kafka_topic}"
    async with (
        AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=transactional_id) as transaction,
        running_consumer(settings) as running,
    ):
        await transaction.begin_transaction()
        for each in HELD:
            key, value = record_of(each)
            await transaction.send_and_wait(settings.kafka_topic, value, key, partition=0)
        await transaction.abort_transaction()
        ended_ms = now_ms()
        await eventually(lambda: watermark_ms(running, 0) > ended_ms, "as-of goes on")
        await running.wait_at(len(HELD) + 1)
        assert (await ask(running))[1] == 0


PARTITIONS, EVENTS_EACH = 32, 150


async def publish_large(bootstrap: str, topic: str) -> list[int]:
    """Publishes events of 8 to 60 KB to all partitions; returns when each was acknowledged."""
    rnd, acknowledged_ms = random.Random(3), []

    async def publish_to(producer: AIOKafkaProducer, partition: int) -> None:
        for number in range(EVENTS_EACH):
            key, value = record_of(event(partition * EVENTS_EACH + number, project_id="acme"))
            assert value is not None
            padded = json.dumps({**json.loads(value), "note": "x" * rnd.randrange(8_000, 60_000)}).encode()
            await producer.send_and_wait(topic, padded, key, partition=partition)
            acknowledged_ms.append(now_ms())

    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=False) as producer:
        await asyncio.gather(*(publish_to(producer, partition) for partition in range(PARTITIONS)))
    return acknowledged_ms


async def watch(running: RunningConsumer, acknowledged_ms: Sequence[int]) -> None:
    """Asks until all events are in the answer; each answer must have those that were acknowledged before its as-of."""
    jobs = 0
    while jobs < len(acknowledged_ms):
        try:
            as_of_ms, jobs = await ask(running)
        except StoreUnavailableError:
            as_of_ms, jobs = 0, 0
        assert jobs >= sum(each < as_of_ms for each in acknowledged_ms)
        await asyncio.sleep(0)


async def test_partitions_for_which_a_response_has_no_room_are_not_caught_up(
    kafka: KafkaServers, make_settings_on: MakeSettingsOn
) -> None:
    """Many partitions behind, with large events: those of some use up a response, and the rest come back empty."""
    settings = await make_settings_on(kafka, partitions=PARTITIONS)
    acknowledged_ms = await publish_large(kafka.bootstrap, settings.kafka_topic)
    async with running_consumer(settings) as running:
        await asyncio.wait_for(watch(running, acknowledged_ms), 120)
