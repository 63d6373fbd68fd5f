"""Creates topics of Apache Kafka, and gives a client that administers it, for tests; raises what the broker refuses."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code
from aiokafka.protocol.metadata import MetadataRequest

_POLL_SECONDS = 0.02


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
        await _wait_known(client, name, partitions)


async def _wait_known(client: AIOKafkaAdminClient, name: str, partitions: int) -> None:
    # the controller answers before the other brokers know the topic
    metadata = MetadataRequest([name])
    for broker in (await client.describe_cluster())["brokers"]:
        while True:
            [topic] = (await client._client.send(broker["node_id"], metadata)).to_object()["topics"]
            if sum(each["leader"] >= 0 for each in topic["partitions"]) == partitions:
                break
            await asyncio.sleep(_POLL_SECONDS)
