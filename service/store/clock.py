"""The time of a store: that of its Redis, which all who write to it share, where a process' own clock runs ahead."""

import time
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoPermissionError

from service.store.outages import reaching


def system_now_ms() -> int:
    """Returns the time of this machine, Unix milliseconds."""
    return time.time_ns() // 1_000_000


class StoreClock:
    """Tells the time that this process' clock says, less what it was found to be ahead of Redis.

    What a consumer says of the past is never of the future for the others, whatever its own clock says.
    """

    def __init__(self, client: Redis | RedisCluster, local_now_ms: Callable[[], int] = system_now_ms) -> None:
        self._client = client
        self._local_now_ms = local_now_ms
        self._lead_ms: int | None = None

    def now_ms(self) -> int:
        """Returns Unix milliseconds; they may fall back when a lead is found."""
        return self._local_now_ms() - (self._lead_ms or 0)

    async def measure(self) -> None:
        """Asks Redis for its time. Raises StoreUnavailableError."""
        least_ms, most_ms = await measure_lead_ms(self._client, self._local_now_ms)
        # what is known stays while it may be so: a slow Redis would make the clock go back and forth
        if self._lead_ms is None or not least_ms <= self._lead_ms <= most_ms:
            self._lead_ms = most_ms


async def measure_lead_ms(client: Redis | RedisCluster, now_ms: Callable[[], int]) -> tuple[int, int]:
    """Returns bounds of how much the clock given is ahead of that of Redis, of a cluster's earliest primary.

    Redis tells its time between the question and the answer, nobody knows when. The greater bound is 0 at least. Where
    the user of Redis may not run INFO the lead is not known, and taken for 0. Raises StoreUnavailableError.
    """
    asked_ms = now_ms()
    with reaching("asking for the time of Redis"):
        try:
            if isinstance(client, RedisCluster):
                infos: Any = await client.info("server", target_nodes=RedisCluster.PRIMARIES)
                servers = list(infos.values()) if "server_time_usec" not in infos else [infos]
            else:
                servers = [await client.info("server")]
        except NoPermissionError:
            return 0, 0
    answered_ms = now_ms()
    times_ms = [int(server["server_time_usec"]) // 1_000 for server in servers if "server_time_usec" in server]
    if not times_ms:
        return 0, 0
    return asked_ms - min(times_ms), max(0, answered_ms - min(times_ms))
