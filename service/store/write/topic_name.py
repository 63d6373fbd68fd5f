"""Makes sure that a store is of one topic: consumers of two topics on one Redis would each undo the other's writes."""

from typing import Any

from redis.asyncio import Redis, RedisCluster

from service.store.layout.keys import topic_name_key
from service.store.redis.outages import reaching
from service.store.redis.script import write


class TopicNameError(Exception):
    """The store is of a topic with another name."""

    def __init__(self, stored: str, topic: str) -> None:
        super().__init__(
            f"this Redis holds the statistics of topic {stored}, not of {topic}; use another Redis, database or"
            f" STATS_REDIS_KEY_PREFIX, or delete its key {topic_name_key()} (behind the prefix, if there is one) if the"
            " topic was renamed"
        )


async def check_topic_name(client: Redis | RedisCluster, topic: str) -> None:
    """Raises TopicNameError if the store is of a topic with another name, and StoreUnavailableError."""
    with reaching("reading the name of the topic"):
        stored: Any = await client.get(topic_name_key())
    if stored is not None and stored != topic.encode():
        raise TopicNameError(stored.decode(errors="replace"), topic)


async def claim_topic_name(client: Redis | RedisCluster, topic: str) -> None:
    """Stores the name of this topic if the store has none yet. Raises what check_topic_name raises."""
    with reaching("writing the name of the topic"):
        await write(client, ("SET", topic_name_key(), topic, "NX"))
    await check_topic_name(client, topic)
