"""Tells the time of the store: that of its Redis, which all writers share. Watermarks are of this time."""

import time
from collections.abc import Callable

from redis.asyncio import Redis, RedisCluster

from service.store.redis.info import read_info


def system_now_ms() -> int:
    """Returns the time of this machine, Unix milliseconds."""
    return time.time_ns() // 1_000_000


def steady_ms() -> int:
    """Returns the milliseconds of this machine's monotonic clock."""
    return time.monotonic_ns() // 1_000_000


class StoreClock:
    """Tells the time of Redis: the time of its last answer, and what has passed since on the monotonic clock.

    So all consumers compare watermarks with one clock: none writes a watermark that is in the future for the others,
    whatever the clock of its own machine says, and however that clock is set. The machine's clock is used only until
    Redis has answered, and where the user of Redis may not run INFO.
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
        """Returns Unix milliseconds. They may go back when `measure` finds how far the clocks are apart."""
        return self._local_now_ms() if self._lead_ms is None else self._steady_ms() - self._lead_ms

    async def measure(self) -> None:
        """Asks Redis for its time and sets this clock by it. Raises StoreUnavailableError."""
        bounds = await measure_lead_ms(self._client, self._steady_ms)
        if bounds is None:
            return
        least_ms, most_ms = bounds
        # the lead stays while it is within the bounds: else the replies of a slow Redis would move the clock to and fro
        if self._lead_ms is None or not least_ms <= self._lead_ms <= most_ms:
            self._lead_ms = most_ms


async def measure_lead_ms(client: Redis | RedisCluster, now_ms: Callable[[], int]) -> tuple[int, int] | None:
    """Returns the least and the greatest time by which the clock given may be ahead of the clock of Redis.

    Redis reads its clock at an unknown instant between the question and the reply: hence two bounds. In a cluster the
    clock is that of the primary with the earliest time. Returns None where the user of Redis may not run INFO. Raises
    StoreUnavailableError.
    """
    asked_ms = now_ms()
    servers = await read_info(client, "asking for the time of Redis", "server")
    answered_ms = now_ms()
    times_ms = [int(server["server_time_usec"]) // 1_000 for server in servers or [] if "server_time_usec" in server]
    if not times_ms:
        return None
    return asked_ms - min(times_ms), answered_ms - min(times_ms)
