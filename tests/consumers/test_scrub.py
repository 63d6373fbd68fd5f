"""The scrub finds and mends what nobody asks for, and leaves what takes a rebuild."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import get_args

from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry, Counter, Gauge
from redis.asyncio import Redis

from consumers.metrics import ConsumerMetrics
from consumers.policy import WorkerPolicy
from consumers.upkeep.scrub import Scrub
from deploy.local.waiting import eventually
from service.runtime.tasks import cancel
from service.store.layout.keys import STRIPES, project_prefix
from service.store.layout.projects import parse_meta
from service.store.layout.sizes import Kind
from tests.consumers.support import Event
from tests.store.damages import META, NAMES
from tests.store.support import Store, assert_equals_oracle, event, stored

EVENTS: list[Event] = [event(job, start_time_ms=job * 1_000_000, user_id=f"user{job % 3}") for job in range(500)]
KINDS = get_args(Kind)
WHOLE = [("project", None, None, None)]


class Assigned:
    """What a scrub asks of a consumer: it has all partitions of the topic, or those that a test says."""

    def __init__(self) -> None:
        self.partitions = {TopicPartition("events", 0)}

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return set(range(1 + max(tp.partition for tp in self.partitions)))

    def assignment(self) -> set[TopicPartition]:
        return self.partitions


@asynccontextmanager
async def scrubbing(client: Redis, consumer: Assigned | None = None) -> AsyncIterator[CollectorRegistry]:
    """A scrub that goes as fast as it may; its metrics."""
    registry = CollectorRegistry()
    consumer = consumer or Assigned()
    policy = WorkerPolicy("events", scrub_share=0.5, scrub_seconds=0.01)
    task = asyncio.create_task(Scrub(consumer, client, ConsumerMetrics(registry), policy).run())
    try:
        yield registry
    finally:
        await cancel([task])


def mended(registry: CollectorRegistry) -> float:
    """How many keys it has mended."""
    return registry.get_sample_value("stats_consumer_mended_keys_total", {"by": "scrub"}) or 0


async def test_drift_is_mended_while_nothing_happens(redis_flushed: str) -> None:
    """Damage after damage goes away by itself, and a whole pass is noted."""
    async with Redis.from_url(redis_flushed) as client:
        store = Store(client)
        await store.apply(EVENTS)
        async with scrubbing(client) as registry:
            for number in (1, 2):
                node = f"{project_prefix('project')}n:42:0"
                await client.setrange(node, 8, b"\xff")
                await eventually(lambda number=number: mended(registry) >= number, "it is mended")
                await assert_equals_oracle(store, EVENTS, WHOLE)
            await eventually(
                lambda: (registry.get_sample_value("stats_consumer_scrub_timestamp_seconds") or 0) > 0,
                "a pass has been made",
            )
            assert registry.get_sample_value("stats_consumer_drifted_keys") == 0
            assert (registry.get_sample_value("stats_consumer_scrub_pass_seconds") or 0) > 0
            assert (registry.get_sample_value("stats_consumer_scrub_projects_total") or 0) >= 1
            assert (registry.get_sample_value("stats_consumer_scrub_records_total") or 0) >= len(EVENTS)
            kinds = {kind: registry.get_sample_value("stats_redis_memory_bytes", {"kind": kind}) for kind in KINDS}
            assert None not in kinds.values()


class Interrupted(Assigned):
    """A consumer between two passes of whose scrub an hour goes by; `now_seconds` stands still within them."""

    def __init__(self) -> None:
        super().__init__()
        self.now_seconds = 0.0

    def assignment(self) -> set[TopicPartition]:
        self.now_seconds += 3_600
        return super().assignment()


def value(metric: Counter | Gauge) -> float:
    """The value of a metric, or of all its series. A scrape would ask the consumer, and let an hour go by."""
    return sum(sample.value for family in metric.collect() for sample in family.samples)


async def test_the_time_between_two_passes_is_not_paid_for(redis_flushed: str) -> None:
    """A pass waits for what its own reads took, and not for the time in which the scrub had nothing to do."""
    async with Redis.from_url(redis_flushed) as client:
        await Store(client).apply(EVENTS)
        consumer, metrics = Interrupted(), ConsumerMetrics(CollectorRegistry())
        policy = WorkerPolicy("events", scrub_share=0.01, scrub_seconds=0.01)
        scrub = Scrub(consumer, client, metrics, policy, lambda: consumer.now_seconds)
        task = asyncio.create_task(scrub.run())
        try:
            await eventually(
                lambda: value(metrics.scrubbed_seconds) > 0,
                "a pass has been made",
            )
            await client.setrange(f"{project_prefix('project')}n:42:0", 8, b"\xff")
            await eventually(lambda: value(metrics.mended_keys) >= 1, "a later pass has mended it")
        finally:
            await cancel([task])


async def test_a_marked_project_without_events_is_mended(redis_flushed: str) -> None:
    """A write that ended in part, and that nobody repeats, has no answer until the scrub comes by."""
    async with Redis.from_url(redis_flushed) as client:
        store = Store(client)
        await store.apply(EVENTS)
        hashes = parse_meta(await stored(client, META)).hashes
        await client.setrange(META, 36, hashes.to_bytes(4, "little"))
        async with scrubbing(client) as registry:
            await eventually(lambda: mended(registry) == 1, "the mark is gone")
            assert registry.get_sample_value("stats_consumer_unfinished_writes_total", {"by": "scrub"}) == 1
            await assert_equals_oracle(store, EVENTS, WHOLE)


async def test_what_takes_a_rebuild_is_told(redis_flushed: str) -> None:
    """Names of a foreign type are in no record: a metric counts the key pass after pass, and nothing else stops."""
    async with Redis.from_url(redis_flushed) as client:
        await Store(client).apply([*EVENTS, event(1, project_id="other")])
        await client.delete(NAMES)
        await client.xadd(NAMES, {"a": "b"})
        async with scrubbing(client) as registry:
            await eventually(
                lambda: registry.get_sample_value("stats_consumer_drifted_keys") == 1, "the key is counted"
            )
            await client.setrange(f"{project_prefix('other')}n:42:0", 8, b"\xff")
            await eventually(lambda: mended(registry) >= 1, "the other project is mended")


async def test_drift_is_told_by_whoever_has_the_partitions(redis_flushed: str) -> None:
    """The alert on drift goes with them: a consumer without partitions never looks again, and fired for ever."""
    async with Redis.from_url(redis_flushed) as client:
        await Store(client).apply(EVENTS)
        await client.delete(NAMES)
        await client.xadd(NAMES, {"a": "b"})
        consumer = Assigned()
        async with scrubbing(client, consumer) as registry:
            await eventually(
                lambda: registry.get_sample_value("stats_consumer_drifted_keys") == 1, "the key is counted"
            )
            consumer.partitions = {TopicPartition("events", STRIPES)}
            assert registry.get_sample_value("stats_consumer_drifted_keys") is None
            assert registry.get_sample_value("stats_redis_memory_bytes", {"kind": "nodes"}) is None
        assert registry.get_sample_value("stats_consumer_drifted_keys") is None


async def test_a_consumer_without_stripes_is_done(redis_flushed: str) -> None:
    """With more partitions than stripes some have none: no alert says for ever that their scrub does not finish."""
    consumer = Assigned()
    consumer.partitions = {TopicPartition("events", STRIPES)}
    async with Redis.from_url(redis_flushed) as client, scrubbing(client, consumer) as registry:
        await eventually(
            lambda: (registry.get_sample_value("stats_consumer_scrub_timestamp_seconds") or 0) > 0, "it is done"
        )
        assert registry.get_sample_value("stats_consumer_drifted_keys") is None
