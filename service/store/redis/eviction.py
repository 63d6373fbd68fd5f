"""Checks whether Redis may evict keys of the store: with such a policy it would lose them silently."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio import Redis, RedisCluster

from service.store.errors import EvictionError
from service.store.redis.info import read_info

ASKING = "asking for the eviction policy"
_log = logging.getLogger(__name__)


async def check_eviction(client: Redis | RedisCluster) -> Sequence[Mapping[str, Any]]:
    """Raises EvictionError if a primary evicts keys without an expiry, as ours are. Raises StoreUnavailableError.

    Returns what INFO says of the memory of each primary. Where the user of Redis may not run INFO, that is nothing: it
    cannot check anything, and logs a warning.
    """
    memories = await read_info(client, ASKING, "memory")
    if memories is None:
        warn_of_silence()
    check_policies(memories or [])
    return memories or []


def check_policies(memories: Sequence[Mapping[str, Any]]) -> None:
    """Raises EvictionError for the first policy that evicts keys without an expiry."""
    for memory in memories:
        policy = memory.get("maxmemory_policy", "")
        if policy.startswith("allkeys-"):
            raise EvictionError(policy)


def warn_of_silence() -> None:
    """Logs that the eviction policy is not known."""
    _log.warning("Redis does not say whether it evicts keys: its user may not run INFO")
