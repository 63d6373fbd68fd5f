"""What happens to the topic itself: made anew, enlarged, trimmed, or with a dead-letter topic that takes too little."""

import asyncio
import json
import logging
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from threading import Thread

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from redis.asyncio import Redis

from consumers.kafka.aiokafka_private import Reader
from consumers.kafka.clients import create_consumer
from consumers.policy import policy_of
from deploy.kafka.server import KafkaServers
from deploy.local.waiting import eventually
from service.runtime.settings import ConsumerSettings, KafkaSettings
from service.store.layout.heads import NO_TOPIC, Claim, pack_partitions
from service.store.layout.keys import STRIPES
from service.store.redis.clock import system_now_ms
from service.store.write.gaps import read_gaps
from service.store.write.writer import StoreWriter
from tests.consumers.support import Event, RunningConsumer, publish, record_of, running_consumer, settings_of
from tests.servers import Processes
from tests.store.support import event, stripe_as_of_ms

FIRST: list[Event] = [event(job) for job in range(300)]
SECOND: list[Event] = [event(job, sequence=2, user_id="other") for job in range(200, 700)]


@pytest.fixture
async def admin(kafka: KafkaServers) -> AsyncIterator[AIOKafkaAdminClient]:
    """An administrator of Apache Kafka."""
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await client.start()
    yield client
    await client.close()


@pytest.fixture
def settings(kafka: KafkaServers, redis_flushed: str) -> ConsumerSettings:
    """A consumer of a topic of its own, which nobody has created yet."""
    return settings_of(kafka.bootstrap, f"topic-{uuid.uuid4().hex}", redis_flushed)


async def create(
    admin: AIOKafkaAdminClient, topic: str, partitions: int = 1, configs: dict[str, str] | None = None
) -> None:
    """Creates a topic; raises AssertionError with Kafka's words if it cannot be."""
    response = await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs or {})])
    assert [error[1] for error in response.topic_errors] == [0], response


async def delete(admin: AIOKafkaAdminClient, topic: str) -> None:
    """Deletes a topic."""
    response = await admin.delete_topics([topic])
    assert [code for _, code in response.topic_error_codes] == [0], response


async def make_anew(bootstrap: str, topic: str, events: list[Event]) -> None:
    """Deletes a topic and creates it with these events."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    await delete(client, topic)
    await create(client, topic)
    await publish(bootstrap, topic, events)
    await client.close()


async def test_topic_made_anew_and_longer_is_noticed_while_running(
    admin: AIOKafkaAdminClient, settings: ConsumerSettings
) -> None:
    """The offsets of the old topic exist in the new one, too: its id tells, and all of it is read."""
    topic = settings.kafka_topic
    await create(admin, topic)
    async with running_consumer(settings) as running:
        await publish(settings.kafka_bootstrap_servers, topic, FIRST)
        await running.wait_counted(FIRST)
        await running.wait_at(len(FIRST))
        old_ids = await topic_ids(running)
        # in a thread that the loop waits for: the consumer does not see the topic while it is shorter
        making = Thread(target=lambda: asyncio.run(make_anew(settings.kafka_bootstrap_servers, topic, SECOND)))
        making.start()
        making.join()
        await running.wait_counted([*FIRST, *SECOND])
        await running.wait_at(len(SECOND))
        assert running.count("resyncs", reason="OtherTopicError") == 1
        [new_id], [old_id] = await topic_ids(running), old_ids
        assert new_id not in {old_id, NO_TOPIC}


async def test_topic_made_anew_and_longer_is_noticed_at_start(
    admin: AIOKafkaAdminClient, settings: ConsumerSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """The same while no consumer ran; the one that starts says what it does."""
    topic = settings.kafka_topic
    await create(admin, topic, partitions=2)
    async with running_consumer(settings) as running:
        await publish(settings.kafka_bootstrap_servers, topic, FIRST)
        await running.wait_counted(FIRST)
        await running.wait_at(len(FIRST))
    await delete(admin, topic)
    await create(admin, topic, partitions=2)
    await publish(settings.kafka_bootstrap_servers, topic, SECOND)
    async with running_consumer(settings) as running:
        await running.wait_counted([*FIRST, *SECOND])
        assert len(await topic_ids(running)) == 1
    assert [message for message in caplog.messages if message.startswith("the topic is another")]


async def test_topic_that_comes_back_with_fewer_partitions_is_fresh_again(
    admin: AIOKafkaAdminClient, settings: ConsumerSettings
) -> None:
    """Heads have the partitions of the topic whose id they hold: nobody waits for one that there is no more."""
    topic = settings.kafka_topic
    await create(admin, topic, partitions=3)
    async with running_consumer(settings) as running:
        await publish(settings.kafka_bootstrap_servers, topic, FIRST)
        await running.wait_counted(FIRST)
        await eventually(lambda: knows_time(running), "there is an as-of")
    await delete(admin, topic)
    await create(admin, topic)
    await publish(settings.kafka_bootstrap_servers, topic, SECOND)
    async with running_consumer(settings) as running:
        await running.wait_counted([*FIRST, *SECOND])
        began_ms = system_now_ms()

        async def is_fresh() -> bool:
            return await stripe_as_of_ms(running.redis, 0) > began_ms

        await eventually(is_fresh, "the as-of goes on")
        assert {len(head.progress) for head in await running.writer.read_heads()} == {1}


async def test_consumer_of_another_topic_is_refused_at_start(
    admin: AIOKafkaAdminClient, settings: ConsumerSettings, processes: Processes
) -> None:
    """Two topics on one Redis would undo each other: the second consumer says so in one line."""
    await create(admin, settings.kafka_topic)
    await create(admin, f"{settings.kafka_topic}-other")
    async with running_consumer(settings) as running:
        await publish(settings.kafka_bootstrap_servers, settings.kafka_topic, FIRST)
        await running.wait_counted(FIRST)
        environment = {
            "STATS_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
            "STATS_KAFKA_TOPIC": f"{settings.kafka_topic}-other",
            "STATS_REDIS_URL": settings.redis_url,
            "STATS_METRICS_PORT": "0",
        }
        child = processes.start("consumers", environment)
        assert await asyncio.to_thread(child.process.wait, 30) == 2
        [line] = [line for line in child.log_path.read_text().splitlines() if "CRITICAL" in line.upper()]
        assert f"STATS_KAFKA_TOPIC: this Redis holds the statistics of topic {settings.kafka_topic}," in line
        await running.wait_counted(FIRST)


async def test_consumer_that_stops_leaves_no_stripe_behind(
    admin: AIOKafkaAdminClient, settings: ConsumerSettings
) -> None:
    """Stripes without events know how far it came: retention must not find them where they were long ago."""
    await create(admin, settings.kafka_topic)
    async with running_consumer(settings) as running:
        await publish(settings.kafka_bootstrap_servers, settings.kafka_topic, FIRST)
        await running.wait_counted(FIRST)
    async with Redis.from_url(settings.redis_url) as client:
        heads = await StoreWriter(client).read_heads()
    assert {head.progress[0].next_offset for head in heads} == {len(FIRST)}


async def test_consumer_whose_clock_is_ahead_claims_no_more_than_others(
    admin: AIOKafkaAdminClient, settings: ConsumerSettings
) -> None:
    """An hour ahead: as-of is of the present, and what somebody claimed for later is taken back."""
    await create(admin, settings.kafka_topic)
    hour_ms = 3_600_000
    async with running_consumer(settings, lambda: system_now_ms() + hour_ms) as running:
        await publish(settings.kafka_bootstrap_servers, settings.kafka_topic, FIRST)
        await running.wait_counted(FIRST)
        await eventually(lambda: knows_time(running), "there is an as-of")
        for stripe in range(STRIPES):
            assert await stripe_as_of_ms(running.redis, stripe) <= system_now_ms()
    async with Redis.from_url(settings.redis_url) as client:
        writer = StoreWriter(client)
        moved_ids = {stripe: head.moved_id for stripe, head in enumerate(await writer.read_heads())}
        await writer.claim(1, Claim(system_now_ms() + hour_ms, pack_partitions([0])), moved_ids, 0)
        assert await stripe_as_of_ms(client, 0) > system_now_ms()
        async with running_consumer(settings):

            async def is_present() -> bool:
                return await stripe_as_of_ms(client, 0) <= system_now_ms()

            await eventually(is_present, "the as-of is no longer of the future")


async def test_partitions_that_the_topic_gets_are_read(admin: AIOKafkaAdminClient, settings: ConsumerSettings) -> None:
    """Two consumers share out what is new; the as-of stands still until it is read, and never falls back."""
    topic = settings.kafka_topic
    await create(admin, topic)
    async with running_consumer(settings) as running, running_consumer(settings) as other:
        await publish(settings.kafka_bootstrap_servers, topic, FIRST)
        await running.wait_counted(FIRST)
        await eventually(lambda: knows_time(running), "there is an as-of")
        async with seen_as_of_ms(running) as as_of_ms:
            await admin.create_partitions({topic: NewPartitions(3)})
            async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers) as producer:
                for number, each in enumerate(SECOND):
                    key, value = record_of(each)
                    await producer.send(topic, value, key, partition=number % 3)
            await running.wait_counted([*FIRST, *SECOND])
            grown_ms = as_of_ms[-1]
            await eventually(lambda: as_of_ms[-1] > grown_ms, "the as-of goes on")
        heads = await running.writer.read_heads()
        assert {len(head.progress) for head in heads} == {3}
        assert as_of_ms == sorted(as_of_ms)
        assigned = {each.registry.get_sample_value("stats_consumer_assigned_partitions") for each in (running, other)}
        assert assigned == {1, 2}


async def topic_ids(running: RunningConsumer) -> set[bytes]:
    """The ids of the topics that the stripes are of."""
    return {head.topic_id for head in await running.writer.read_heads()}


async def knows_time(running: RunningConsumer) -> bool:
    """Whether every stripe has a watermark."""
    return all([await stripe_as_of_ms(running.redis, stripe) for stripe in range(STRIPES)])


@asynccontextmanager
async def seen_as_of_ms(running: RunningConsumer) -> AsyncIterator[list[int]]:
    """The as-of of the first stripe, as often as it can be asked for while the block runs."""
    seen_ms: list[int] = []
    ended = asyncio.Event()

    async def watch() -> None:
        while not ended.is_set():
            seen_ms.append(await stripe_as_of_ms(running.redis, 0))

    watching = asyncio.create_task(watch())
    try:
        yield seen_ms
    finally:
        ended.set()
        await watching


async def test_records_that_retention_took_are_a_gap(
    admin: AIOKafkaAdminClient, settings: ConsumerSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """What was deleted before it was read is in the ledger of every stripe, in metrics and log; the rest counts."""
    topic = settings.kafka_topic
    await create(admin, topic)
    async with running_consumer(settings) as running:
        await publish(settings.kafka_bootstrap_servers, topic, FIRST)
        await running.wait_counted(FIRST)
        await running.wait_at(len(FIRST))
        assert running.registry.get_sample_value("stats_consumer_gap_records", {"partition": "0"}) == 0
    await publish(settings.kafka_bootstrap_servers, topic, SECOND)
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=400)})
    async with running_consumer(settings) as running:
        await running.wait_counted([*FIRST, *SECOND[100:]])
        heads = await running.writer.read_heads()
        ledgers = await read_gaps(running.redis, heads)
        assert set(ledgers) == set(range(STRIPES))
        assert {(gap.partition, gap.from_offset, gap.to_offset) for rows in ledgers.values() for gap in rows} == {
            (0, 300, 400)
        }
        assert {head.gaps for head in heads} == {1}
        assert running.count("gaps") == 1
        assert running.registry.get_sample_value("stats_consumer_gap_records", {"partition": "0"}) == 100
    assert caplog.messages.count("records were deleted from the topic before they were applied") == 1


async def test_topic_that_has_lost_its_beginning_is_a_gap_of_a_new_store(
    admin: AIOKafkaAdminClient, settings: ConsumerSettings
) -> None:
    """A store that begins empty has never read what an old topic no longer has."""
    topic = settings.kafka_topic
    await create(admin, topic)
    await publish(settings.kafka_bootstrap_servers, topic, FIRST)
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=100)})
    async with running_consumer(settings) as running:
        await running.wait_counted(FIRST[100:])
        [rows] = {tuple(rows) for rows in (await read_gaps(running.redis, await running.writer.read_heads())).values()}
        assert [(gap.from_offset, gap.to_offset) for gap in rows] == [(0, 100)]


async def test_letter_that_is_too_large_holds_its_partition_and_says_what_to_do(
    admin: AIOKafkaAdminClient, settings: ConsumerSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """It is neither cut nor dropped; once the topic takes it, the consumer goes on by itself."""
    caplog.set_level(logging.ERROR, "consumers")
    letters = settings.kafka_dead_letter_topic
    await create(admin, settings.kafka_topic)
    await create(admin, letters, configs={"max.message.bytes": "1000"})
    large = json.dumps([uuid.uuid4().hex for _ in range(300)]).encode()
    await publish(settings.kafka_bootstrap_servers, settings.kafka_topic, [*FIRST, large, *SECOND])
    async with running_consumer(settings) as running:
        await eventually(lambda: "a dead letter is too large for its topic; its partition waits" in caplog.messages, "")
        [detail, *_] = [record.detail for record in caplog.records if hasattr(record, "detail")]
        assert f"1 letters from offset {len(FIRST)} of partition 0 on" in detail
        assert f"max.message.bytes of {letters}" in detail
        assert max(await running.offsets()) <= len(FIRST)
        resource = ConfigResource(ConfigResourceType.TOPIC, letters, configs={"max.message.bytes": "100000"})
        await admin.alter_configs([resource])
        await running.wait_counted([*FIRST, *SECOND])
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers, auto_offset_reset="earliest")
    async with consumer:
        consumer.assign([TopicPartition(letters, 0)])
        assert (await consumer.getone()).value == large


async def test_consumer_that_no_longer_fetches_gets_new_clients(
    admin: AIOKafkaAdminClient, settings: ConsumerSettings
) -> None:
    """Records are there, and none comes: that is noticed, counted, and ends with clients that fetch."""
    made: list[Reader] = []

    def creating(given: KafkaSettings, now_ms: Callable[[], int]) -> Reader:
        made.append(create_consumer(given, now_ms))
        return made[-1]

    policy = replace(policy_of(settings), quiet_seconds=0.5)
    await create(admin, settings.kafka_topic)
    async with running_consumer(settings, policy=policy, create_consumer=creating) as running:
        await publish(settings.kafka_bootstrap_servers, settings.kafka_topic, FIRST)
        await running.wait_counted(FIRST)
        made[0]._fetcher._fetch_task.cancel()
        await publish(settings.kafka_bootstrap_servers, settings.kafka_topic, SECOND)
        await running.wait_counted([*FIRST, *SECOND])
        assert running.count("stalls") == 1
        assert len(made) == 2
