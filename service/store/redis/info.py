"""What the servers say of themselves."""

from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoPermissionError

from service.store.redis.outages import reaching


async def read_info(client: Redis | RedisCluster, doing: str, *sections: str) -> Sequence[Mapping[str, Any]] | None:
    """Returns these sections of each primary's INFO, None where Redis forbids that.

    Raises StoreUnavailableError, which says what was under way: `doing`.
    """
    with reaching(doing):
        try:
            if not isinstance(client, RedisCluster):
                return [await client.info(*sections)]
            infos = await client.info(*sections, target_nodes=RedisCluster.PRIMARIES)
        except NoPermissionError:
            return None
    # by node, but of the one primary of a small cluster as it is
    return list(infos.values()) if all(isinstance(each, dict) for each in infos.values()) else [infos]
