"""What a rebuild makes of topics that have lost their beginning, were compacted, grew, or are other topics."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewPartitions, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from redis.asyncio import Redis

from consumers.rebuild.losses import JobsWouldBeLostError
from consumers.rebuild.run import discard, rebuild
from deploy.kafka.server import KafkaServers
from deploy.kafka.topics import admin, create_topic
from service.runtime.settings import ConsumerSettings
from service.store.generations import GenerationError
from service.store.layout.heads import parse_head
from service.store.layout.keys import STRIPES, building_head_key
from service.store.write.gaps import read_gaps
from service.store.write.writer import Step, StoreWriter, StripeBatch
from tests.consumers.support import Event, publish, record_of
from tests.consumers.test_rebuild import BrokenOffError, interrupted_after, no_progress, rebuilt, settled
from tests.store.support import Query, Store, assert_equals_oracle, event, everything, stored

EVENTS: list[Event] = [event(job, user_id=f"user{job % 3}", start_time_ms=job) for job in range(400)]
WHOLE: list[Query] = [("project", None, None, None)]


@pytest.fixture
def settings(kafka: KafkaServers, redis_flushed: str) -> ConsumerSettings:
    """A topic's settings; there is no such topic yet."""
    name = f"topic-{uuid.uuid4().hex}"
    given = {"kafka_bootstrap_servers": kafka.bootstrap, "kafka_topic": name, "redis_url": redis_flushed}
    return ConsumerSettings.model_validate(given)


async def lose_beginning(settings: ConsumerSettings, offset: int) -> None:
    """Deletes the records of partition 0 before an offset, as retention does."""
    async with admin(settings.kafka_bootstrap_servers) as client:
        await client.delete_records({TopicPartition(settings.kafka_topic, 0): RecordsToDelete(before_offset=offset)})


@asynccontextmanager
async def counted(settings: ConsumerSettings, partitions: int = 1) -> AsyncIterator[Redis]:
    """A topic, and a store that counts all that is in it; a client of the store."""
    await create_topic(settings.kafka_bootstrap_servers, settings.kafka_topic, partitions)
    async with settled(settings, settings.kafka_bootstrap_servers, EVENTS) as client:
        yield client


async def test_jobs_that_the_topic_lost_are_not_thrown_away(settings: ConsumerSettings) -> None:
    """Where the topic no longer has what is counted nothing is begun, unless gaps are accepted; these are recorded."""
    async with counted(settings) as client:
        await lose_beginning(settings, 100)
        before = await everything(client)
        with pytest.raises(
            JobsWouldBeLostError, match="no longer has offsets 0 to 99 of partition 0, which are counted"
        ):
            await rebuilt(settings)
        assert await everything(client) == before
        assert (await rebuild(settings, True, no_progress)).gaps == 1
        await assert_equals_oracle(Store(client), EVENTS[100:], WHOLE)
        heads = await StoreWriter(client).read_heads()
        ledgers = await read_gaps(client, heads)
        assert {(gap.partition, gap.from_offset, gap.to_offset) for gap in ledgers[STRIPES - 1]} == {(0, 0, 100)}
        assert {head.gaps for head in heads} == {1}
        # what was never there is not lost by another rebuild, but what goes from now on is
        await rebuilt(settings)
        await lose_beginning(settings, 150)
        with pytest.raises(JobsWouldBeLostError, match="no longer has offsets 100 to 149 of partition 0"):
            await rebuilt(settings)
        await assert_equals_oracle(Store(client), EVENTS[100:], WHOLE)


async def test_a_compacted_topic_has_lost_nothing(settings: ConsumerSettings) -> None:
    """What compaction takes is replaced by later records, so a beginning beyond 0 is no reason to refuse."""
    again = [event(job, sequence=1, user_id="other") for job in range(100)]
    async with counted(settings) as client:
        await publish(settings.kafka_bootstrap_servers, settings.kafka_topic, again)
        await lose_beginning(settings, 100)
        async with admin(settings.kafka_bootstrap_servers) as kafka:
            policy = {"cleanup.policy": "compact"}
            await kafka.alter_configs([ConfigResource(ConfigResourceType.TOPIC, settings.kafka_topic, policy)])
        await rebuilt(settings)
        await assert_equals_oracle(Store(client), [*EVENTS, *again], WHOLE)


async def test_partitions_that_come_meanwhile_are_read(settings: ConsumerSettings) -> None:
    """A rebuild that was interrupted before the topic got a partition reads that too."""
    more = [event(job, project_id="more") for job in range(50)]
    async with counted(settings) as client:
        with pytest.raises(BrokenOffError):
            await rebuild(settings, False, interrupted_after(1), batch_records=1)
        async with admin(settings.kafka_bootstrap_servers) as kafka:
            await kafka.create_partitions({settings.kafka_topic: NewPartitions(2)})
        async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers) as producer:
            for key, value in map(record_of, more):
                await producer.send(settings.kafka_topic, value, key, partition=1)
        assert (await rebuilt(settings)).records == len(EVENTS) + len(more)
        await assert_equals_oracle(Store(client), [*EVENTS, *more], [*WHOLE, ("more", None, None, None)])


async def test_marks_of_transactions_at_the_end_hold_nothing_up(settings: ConsumerSettings) -> None:
    """Behind the last record may be marks of transactions, and records of one that was aborted: none counts."""
    more = [event(job, project_id="more") for job in range(20)]
    async with counted(settings) as client:
        producer = AIOKafkaProducer(
            bootstrap_servers=settings.kafka_bootstrap_servers, transactional_id=settings.kafka_topic
        )
        async with producer:
            for events, is_kept in ((more[:10], True), (more[10:], False)):
                await producer.begin_transaction()
                for key, value in map(record_of, events):
                    await producer.send(settings.kafka_topic, value, key, partition=0)
                await (producer.commit_transaction() if is_kept else producer.abort_transaction())
        assert (await rebuilt(settings)).records == len(EVENTS) + 10
        await assert_equals_oracle(Store(client), more[:10], [("more", None, None, None)])


@pytest.mark.parametrize("whose", ["live", "new"])
async def test_another_topic_of_the_same_name_is_not_taken_for_it(settings: ConsumerSettings, whose: str) -> None:
    """Offsets of a topic that was deleted and made anew are compared with nothing: the rebuild says which it met."""
    async with counted(settings) as client:
        with pytest.raises(BrokenOffError):
            await rebuild(settings, False, interrupted_after(1), batch_records=1)
        if whose == "live":
            building = parse_head(await stored(client, building_head_key(0, 1)))
            for stripe, head in enumerate(await StoreWriter(client).read_heads()):
                at = head.progress[0].next_offset
                batch = StripeBatch(stripe, [Step(0, at, at, 0)], topic_id=building.topic_id)
                await StoreWriter(client).apply(1, [batch])
            await discard(settings)
        async with admin(settings.kafka_bootstrap_servers) as kafka:
            await kafka.delete_topics([settings.kafka_topic])
        await create_topic(settings.kafka_bootstrap_servers, settings.kafka_topic, 1)
        await publish(settings.kafka_bootstrap_servers, settings.kafka_topic, [*EVENTS, *EVENTS])
        what = "what is live is of another topic" if whose == "live" else "generation 1 was begun from another topic"
        with pytest.raises(GenerationError, match=what):
            await rebuilt(settings)
