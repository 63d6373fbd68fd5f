"""A partition without a leader, on three nodes of Apache Kafka: the others go on, and it joins when it has one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaClient, TopicPartition

from consumers.dead_letters.replay import parse_letter
from consumers.kafka.clients import create_reader
from consumers.kafka.metadata import describe_topic
from deploy.kafka.jars import KafkaProgram
from deploy.kafka.server import KafkaNode, KafkaServers, start_kafka
from deploy.kafka.topics import admin, create_topic
from deploy.local.waiting import eventually
from service.runtime.settings import ConsumerSettings
from tests.consumers.conftest import MakeSettingsOn
from tests.consumers.support import Event, RunningConsumer, running_consumer
from tests.consumers.test_unreadable import publish_batch
from tests.store.support import event

PARTITIONS = range(3)


def events_of(wave: int, partition: int) -> list[Event]:
    """Events of jobs that are published to this partition alone."""
    return [event(wave * 1_000 + partition * 100 + job, project_id="acme") for job in range(20)]


@pytest.fixture(scope="module")
async def cluster(kafka_program: KafkaProgram, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KafkaServers]:
    """Apache Kafka of three nodes. A test that makes one fail starts it again."""
    folder: Path = tmp_path_factory.mktemp("cluster")
    servers = await start_kafka(kafka_program, folder / "kafka", count=3)
    yield servers
    servers.end()


@pytest.fixture
async def settings(cluster: KafkaServers, make_settings_on: MakeSettingsOn) -> ConsumerSettings:
    """A consumer of a topic of which each node has one partition, and nobody else has a copy."""
    return await make_settings_on(cluster, partitions=len(PARTITIONS))


async def find_leader(cluster: KafkaServers, topic: str, partition: int) -> KafkaNode:
    """The node that leads a partition; all nodes are there."""
    async with admin(cluster.bootstrap) as client:
        [described] = await client.describe_topics([topic])
    [leader] = [each["leader"] for each in described["partitions"] if each["partition"] == partition]
    node: KafkaNode = cluster.nodes[leader - 1]
    return node


@asynccontextmanager
async def killed(cluster: KafkaServers, node: KafkaNode, topic: str, partition: int) -> AsyncIterator[None]:
    """A node is killed, and the others know that nobody leads the partition; it is back after the block, or before."""
    node.kill()
    others = [f"127.0.0.1:{other.port}" for other in cluster.nodes if other is not node]
    client = AIOKafkaClient(bootstrap_servers=others)
    try:
        await client.bootstrap()

        async def is_known() -> bool:
            return not (await describe_topic(client, topic)).has_leader(partition)

        await eventually(is_known, "the partition has no leader")
        yield
    finally:
        await client.close()
        if node.child.process.poll() is not None:
            node.start()
        await cluster.wait_ready()


async def publish_to(settings: ConsumerSettings, wave: int, partitions: list[int]) -> list[Event]:
    """Publishes a wave of events to these partitions."""
    published: list[Event] = []
    for partition in partitions:
        await publish_batch(
            settings.kafka_bootstrap_servers, settings.kafka_topic, partition, events_of(wave, partition)
        )
        published += events_of(wave, partition)
    return published


async def wait_named(running: RunningConsumer, partition: int) -> None:
    """Waits until the consumer says that this partition alone is not read."""

    async def is_so() -> bool:
        missing = await running.consumer.not_ready()
        return [each.partition(":")[0] for each in missing] == [f"partition {partition}"]

    await eventually(is_so, f"not ready because of partition {partition}", within_seconds=60)


@pytest.mark.parametrize("dead", PARTITIONS)
async def test_a_partition_without_a_leader_at_start_stops_no_other(
    cluster: KafkaServers, settings: ConsumerSettings, dead: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Whichever it is: the rest is read, one line names it, and it joins when its node is back."""
    published = await publish_to(settings, 0, list(PARTITIONS))
    lost = events_of(0, dead)
    alive = [partition for partition in PARTITIONS if partition != dead]
    node = await find_leader(cluster, settings.kafka_topic, dead)
    async with killed(cluster, node, settings.kafka_topic, dead), running_consumer(settings) as running:
        await running.wait_counted([each for each in published if each not in lost])
        await wait_named(running, dead)
        published += await publish_to(settings, 1, alive)
        await running.wait_counted([each for each in published if each not in lost])
        heads = await running.writer.read_heads()
        assert max(head.progress[dead].watermark_ms for head in heads) == 0
        said = [record for record in caplog.records if "does not say where" in record.getMessage()]
        assert [record.partition for record in said] == [dead]  # type: ignore[attr-defined]
        node.start()
        await running.wait_counted(published)
        await running.wait_not_ready([])
        assert running.count("stalls") == 0


async def test_a_partition_that_loses_its_leader_stops_no_other(
    cluster: KafkaServers, settings: ConsumerSettings
) -> None:
    """While it is read: it is named, the others go on with the same clients, and it goes on when its node is back."""
    async with running_consumer(settings) as running:
        published = await publish_to(settings, 0, list(PARTITIONS))
        await running.wait_counted(published)
        node = await find_leader(cluster, settings.kafka_topic, 0)
        async with killed(cluster, node, settings.kafka_topic, 0):
            published += await publish_to(settings, 1, [1, 2])
            await running.wait_counted(published)
            await wait_named(running, 0)
            published += await publish_to(settings, 2, [1, 2])
            await running.wait_counted(published)
        published += await publish_to(settings, 3, list(PARTITIONS))
        await running.wait_counted(published)
        await running.wait_not_ready([])
        assert running.count("stalls") == 0


async def test_dead_letters_go_where_there_is_a_leader(cluster: KafkaServers, settings: ConsumerSettings) -> None:
    """A partition of their topic without one keeps no letter of any partition waiting."""
    letters = settings.kafka_dead_letter_topic
    await create_topic(cluster.bootstrap, letters, len(PARTITIONS))
    node = await find_leader(cluster, letters, 1)
    alive = [p for p in PARTITIONS if await find_leader(cluster, settings.kafka_topic, p) is not node]
    async with killed(cluster, node, letters, 1), running_consumer(settings) as running:
        for partition in alive:
            await publish_batch(cluster.bootstrap, settings.kafka_topic, partition, events_of(0, partition), 3)
        published = [each for p in alive for number, each in enumerate(events_of(0, p)) if number != 3]
        await running.wait_counted(published)
        assert running.count("dead_letters", reason="bad_headers") == len(alive)
        assert await count_letters(settings, [0, 2], len(alive))


async def count_letters(settings: ConsumerSettings, partitions: list[int], count: int) -> bool:
    """Reads so many letters from these partitions of their topic."""
    reader = create_reader(settings)
    await reader.start()
    try:
        tps = [TopicPartition(settings.kafka_dead_letter_topic, partition) for partition in partitions]
        reader.assign(tps)
        await reader.seek_to_beginning(*tps)
        while count > 0:
            polled = await reader.getmany(timeout_ms=1_000)
            count -= sum(
                parse_letter(tp.partition, record) is not None for tp, some in polled.items() for record in some
            )
        return count == 0
    finally:
        await reader.stop()
