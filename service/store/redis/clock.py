"""The time of a store: that of its Redis, which all who write to it share."""

import time
from collections.abc import Callable

from redis.asyncio import Redis, RedisCluster

from service.store.redis.info import read_info


def system_now_ms() -> int:
    """Returns the time of this machine, Unix milliseconds."""
    return time.time_ns() // 1_000_000


def steady_ms() -> int:
    """Returns milliseconds of a clock that nobody sets."""
    return time.monotonic_ns() // 1_000_000


class StoreClock:
    """Tells the time of Redis, as it was last asked for, and what has gone by since on a clock that nobody sets.

    What a consumer says of the past is never of the future for the others, nor is what they said taken for the future,
    whatever its own clock says, and however that is set meanwhile. Its own clock is believed only until Redis was
    asked, and where the user of Redis may not run INFO.
    """

    def __init__(
        self,
        client: Redis | RedisCluster,
        local_now_ms: Callable[[], int] = system_now_ms,
        steady_ms: Callable[[], int] = steady_ms,
    ) -> None:
        self._client = client
        self._local_now_ms = local_now_ms
        self._steady_ms = steady_ms
        self._lead_ms: int | None = None

    def now_ms(self) -> int:
        """Returns Unix milliseconds; they may fall back when a lead is found."""
        return self._local_now_ms() if self._lead_ms is None else self._steady_ms() - self._lead_ms

    async def measure(self) -> None:
        """Asks Redis for its time. Raises StoreUnavailableError."""
        bounds = await measure_lead_ms(self._client, self._steady_ms)
        if bounds is None:
            return
        least_ms, most_ms = bounds
        # what is known stays while it may be so: a slow Redis would make the clock go back and forth
        if self._lead_ms is None or not least_ms <= self._lead_ms <= most_ms:
            self._lead_ms = most_ms


async def measure_lead_ms(client: Redis | RedisCluster, now_ms: Callable[[], int]) -> tuple[int, int] | None:
    """Returns bounds of how much the clock given is ahead of that of Redis, of a cluster's earliest primary.

    Redis tells its time between the question and the answer, nobody knows when. None where it does not tell, as its
    user may not run INFO. Raises StoreUnavailableError.
    """
    asked_ms = now_ms()
    servers = await read_info(client, "asking for the time of Redis", "server")
    answered_ms = now_ms()
    times_ms = [int(server["server_time_usec"]) // 1_000 for server in servers or [] if "server_time_usec" in server]
    if not times_ms:
        return None
    return asked_ms - min(times_ms), answered_ms - min(times_ms)
