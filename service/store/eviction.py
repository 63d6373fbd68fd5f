"""Whether Redis may throw counters away: a policy that evicts keys would, silently."""

import logging

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoPermissionError

from service.store.contract import REDIS_ERRORS, EvictionError, StoreUnavailableError

_log = logging.getLogger(__name__)


async def check_eviction(client: Redis | RedisCluster) -> None:
    """Raises EvictionError if a primary evicts keys that have no expiry, as ours have none; StoreUnavailableError.

    Redis may forbid INFO; then nobody can tell, and a line in the log says so.
    """
    try:
        if isinstance(client, RedisCluster):
            infos = await client.info("memory", target_nodes=RedisCluster.PRIMARIES)
            memories = list(infos.values()) if "maxmemory_policy" not in infos else [infos]
        else:
            memories = [await client.info("memory")]
    except NoPermissionError:
        _log.warning("Redis does not say whether it evicts keys: its user may not run INFO")
        return
    except REDIS_ERRORS as error:
        raise StoreUnavailableError(f"asking for the eviction policy: {error}") from error
    for memory in memories:
        policy = memory.get("maxmemory_policy", "")
        if policy.startswith("allkeys-"):
            raise EvictionError(policy)
