"""Reads the INFO of Redis servers."""

from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoPermissionError

from service.store.redis.outages import reaching


async def read_info(client: Redis | RedisCluster, doing: str, *sections: str) -> Sequence[Mapping[str, Any]] | None:
    """Returns these sections of each primary's INFO, or None where the user of Redis may not run INFO.

    Raises StoreUnavailableError with `doing`, which says what was under way.
    """
    with reaching(doing):
        try:
            if not isinstance(client, RedisCluster):
                return [await client.info(*sections)]
            infos = await client.info(*sections, target_nodes=RedisCluster.PRIMARIES)
        except NoPermissionError:
            return None
    # a mapping by node; of a cluster with one primary redis-py returns that node's INFO itself
    return list(infos.values()) if all(isinstance(each, dict) for each in infos.values()) else [infos]
