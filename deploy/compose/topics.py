"""Creates the topics of `compose.yaml`, those that do not exist yet, with the settings of docs/producers.md."""

import asyncio
import os
import sys

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

_EVENTS = {"retention.ms": "-1", "message.timestamp.type": "LogAppendTime"}
_DEAD_LETTERS = {"retention.ms": "-1", "max.message.bytes": str(2 << 20)}  # a record, and why it is none
_TOPICS = (
    NewTopic("gene-job-events", num_partitions=6, replication_factor=1, topic_configs=_EVENTS),
    NewTopic("gene-job-events.dead-letters", num_partitions=1, replication_factor=1, topic_configs=_DEAD_LETTERS),
)


async def main() -> int:
    """Creates the topics at STATS_KAFKA_BOOTSTRAP_SERVERS; returns the exit status. Raises the broker's KafkaError."""
    admin = AIOKafkaAdminClient(bootstrap_servers=os.environ["STATS_KAFKA_BOOTSTRAP_SERVERS"])
    await admin.start()
    try:
        response = await admin.create_topics(_TOPICS)
    finally:
        await admin.close()
    for name, code, *_ in response.topic_errors:
        if code not in {0, TopicAlreadyExistsError.errno}:
            raise for_code(code)(f"creating topic {name}")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
