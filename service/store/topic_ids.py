"""Of which topic the offsets in the heads are: a topic deleted and made anew has the same name and another id.

The id of a partition's topic is written only after every stripe was moved to offsets of that topic.
"""

from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis, RedisCluster

from service.store.contract import REDIS_ERRORS, StoreUnavailableError
from service.store.layout import topic_ids_key


async def read_topic_ids(client: Redis | RedisCluster, building: int = 0) -> dict[int, str]:
    """By partition the id of the topic that its offsets are of, in what is live or in a generation that is being built.

    Raises StoreUnavailableError.
    """
    try:
        ids: dict[Any, Any] = await client.hgetall(topic_ids_key(building))
    except REDIS_ERRORS as error:
        raise StoreUnavailableError(f"reading the ids of topics: {error}") from error
    return {int(partition): topic_id.decode() for partition, topic_id in ids.items()}


async def write_topic_ids(client: Redis | RedisCluster, topic_ids: Mapping[int, str], building: int = 0) -> None:
    """Takes down by partition of which topic all stripes' offsets are. Raises StoreUnavailableError."""
    try:
        await client.hset(topic_ids_key(building), mapping={str(p): each for p, each in topic_ids.items()})
    except REDIS_ERRORS as error:
        raise StoreUnavailableError(f"writing the ids of topics: {error}") from error
