"""Creates topics of Apache Kafka, and gives a client that administers it, for tests; raises what the broker refuses."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial

from aiokafka import AIOKafkaClient
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code
from aiokafka.protocol.metadata import MetadataRequest

from deploy.local.waiting import eventually


@asynccontextmanager
async def admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """Yields a started client that administers these brokers, and closes it when the block ends."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def create_topic(
    bootstrap: str, name: str, partitions: int, replicas: int = 1, configs: Mapping[str, str] | None = None
) -> None:
    """Creates a topic, and returns when every broker knows it. Raises the KafkaError that the broker answers with."""
    async with admin(bootstrap) as client:
        topic = NewTopic(name, num_partitions=partitions, replication_factor=replicas, topic_configs=configs or {})
        response = await client.create_topics([topic])
        for _, code, *message in response.topic_errors:
            if code:
                raise for_code(code)(f"creating topic {name}: {message}")
    await _wait_known(bootstrap, name, partitions)


async def _wait_known(bootstrap: str, name: str, partitions: int) -> None:
    # the controller answers before the other brokers know the topic
    client = AIOKafkaClient(bootstrap_servers=bootstrap)

    async def is_known_to(node: int) -> bool:
        [topic] = (await client.send(node, MetadataRequest([name]))).to_object()["topics"]
        return bool(sum(each["leader"] >= 0 for each in topic["partitions"]) == partitions)

    try:
        await client.bootstrap()
        for broker in client.cluster.brokers():
            await eventually(partial(is_known_to, broker.nodeId), f"{name} is known to broker {broker.nodeId}")
    finally:
        await client.close()
