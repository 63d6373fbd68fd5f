"""Watches Redis while the API reads it: whether it was set to evict keys, and whether it has become a replica."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

from redis.asyncio import Redis, RedisCluster

from service.store.contract import Answer, Freshness, Series, Standing, StatisticsStore, StoreTotals
from service.store.errors import EvictionError, LayoutError, StoreUnavailableError
from service.store.read.metrics import QueryMetrics
from service.store.redis.eviction import ASKING, check_policies, warn_of_silence
from service.store.redis.info import read_info
from service.store.redis.pool import Pool

_log = logging.getLogger(__name__)
LOOK_SECONDS = 10.0
Question = ParamSpec("Question")
T = TypeVar("T")


class WatchedStore:
    """A StatisticsStore that answers from another one, but raises while a primary of its Redis may evict keys.

    It counts and times the questions.
    """

    def __init__(
        self, store: StatisticsStore, client: Redis | RedisCluster, metrics: QueryMetrics | None = None
    ) -> None:
        self._store = store
        self._metrics = metrics or QueryMetrics()
        self._client = client
        self._problem: EvictionError | None = None
        self._has_warned = False

    async def read(self, project_id: str, start_ms: int | None, end_ms: int | None, user_id: str | None) -> Answer:
        """Reads as StatisticsStore.read says; raises StoreUnavailableError also while keys may be evicted."""
        return await self._counted(self._checked(self._store.read, project_id, start_ms, end_ms, user_id))

    def ask(
        self,
        project_id: str,
        start_ms: int | None,
        end_ms: int | None,
        user_id: str | None,
        tell: Callable[[Answer | Exception | None], None],
    ) -> Coroutine[Any, Any, Answer] | None:
        """Reads as StatisticsStore.ask says; raises StoreUnavailableError also while keys may be evicted."""
        started = time.perf_counter()

        def count(found: Answer | Exception | None) -> None:
            seconds = time.perf_counter() - started
            if isinstance(found, Answer):
                self._metrics.answered(found.how, seconds)
            elif isinstance(found, StoreUnavailableError | LayoutError):
                self._metrics.failed(found, seconds)
            tell(found)

        if self._problem is not None:
            return self.read(project_id, start_ms, end_ms, user_id)
        reading = self._store.ask(project_id, start_ms, end_ms, user_id, count)
        return None if reading is None else self._counted(reading)

    async def _counted(self, reading: Awaitable[Answer]) -> Answer:
        answer, seconds = await self._timed(reading)
        self._metrics.answered(answer.how, seconds)
        return answer

    async def series(
        self, project_id: str, borders_ms: Sequence[int], user_id: str | None, user_name: str | None
    ) -> Series:
        """Reads as StatisticsStore.series says; raises StoreUnavailableError also while keys may be evicted."""
        series, seconds = await self._timed(
            self._checked(self._store.series, project_id, borders_ms, user_id, user_name)
        )
        self._metrics.answered("series", seconds)
        return series

    async def standing(self, project_id: str) -> Standing:
        """Returns how a project stands as StatisticsStore.standing says; raises also while keys may be evicted."""
        self._check()
        return await self._store.standing(project_id)

    async def ping(self) -> None:
        """Raises as StatisticsStore.ping says, and StoreUnavailableError also while keys may be evicted."""
        self._check()
        await self._store.ping()

    async def freshness(self) -> Freshness:
        """Returns how fresh answers are, as StatisticsStore.freshness says."""
        return await self._store.freshness()

    async def totals(self) -> StoreTotals | None:
        """Returns what all projects count together, as StatisticsStore.totals says."""
        return await self._store.totals()

    async def run(self, look_seconds: float = LOOK_SECONDS) -> None:
        """Looks every `look_seconds` until cancelled. While Redis is away, the last result stays."""
        while True:
            await asyncio.sleep(look_seconds)
            with suppress(StoreUnavailableError):  # the next question raises it again
                await self.look()

    async def look(self) -> None:
        """Asks each primary for its eviction policy, and logs when that changes. Raises StoreUnavailableError.

        If a single Redis says that it is a replica, all connections are renewed: it may have been demoted, and the
        address may lead to another server now.
        """
        infos = await read_info(self._client, ASKING, "memory", "replication")
        if infos is None and not self._has_warned:
            warn_of_silence()
            self._has_warned = True
        if any(info.get("role") == "slave" for info in infos or []) and not isinstance(self._client, RedisCluster):
            pool = self._client.connection_pool
            if isinstance(pool, Pool):
                pool.renew()
        before, self._problem = self._problem, None
        try:
            check_policies(infos or [])
        except EvictionError as error:
            self._problem = error
        if self._problem and not before:
            _log.critical("requests get 503 until this is mended: %s", self._problem)
        if before and not self._problem:
            _log.warning("Redis does not evict keys any more; requests are answered again")

    async def _checked(
        self, ask: Callable[Question, Awaitable[T]], *args: Question.args, **options: Question.kwargs
    ) -> T:
        self._check()
        return await ask(*args, **options)

    async def _timed(self, asked: Awaitable[T]) -> tuple[T, float]:
        """Returns an answer and the seconds that it took; counts and times what has none."""
        started = time.perf_counter()
        try:
            answer = await asked
        except (StoreUnavailableError, LayoutError) as error:
            self._metrics.failed(error, time.perf_counter() - started)
            raise
        return answer, time.perf_counter() - started

    def _check(self) -> None:
        if self._problem is not None:
            raise StoreUnavailableError(str(self._problem), "evicting")
