"""How far a process' clock runs ahead of that of Redis, which all who write to a store share."""

from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoPermissionError

from service.store.contract import REDIS_ERRORS, StoreUnavailableError


async def measure_lead_ms(client: Redis | RedisCluster, now_ms: Callable[[], int]) -> int:
    """Returns by how much the clock given is ahead of that of Redis, of a cluster's earliest primary; 0 if it is not.

    An instant that this clock has shown is, less the lead, not in the future of Redis. Where the user of Redis may not
    run INFO the lead is not known, and taken for 0. Raises StoreUnavailableError.
    """
    asked_ms = now_ms()
    try:
        if isinstance(client, RedisCluster):
            infos: Any = await client.info("server", target_nodes=RedisCluster.PRIMARIES)
            servers = list(infos.values()) if "server_time_usec" not in infos else [infos]
        else:
            servers = [await client.info("server")]
    except NoPermissionError:
        return 0
    except REDIS_ERRORS as error:
        raise StoreUnavailableError(f"asking for the time of Redis: {error}") from error
    times_ms = [int(server["server_time_usec"]) // 1_000 for server in servers if "server_time_usec" in server]
    return max([0, *(asked_ms - time_ms for time_ms in times_ms)])
