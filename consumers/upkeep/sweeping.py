"""Runs the sweep: takes jobs that start before the horizon of retention, and so no longer count, out of the store."""

import asyncio
import logging
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer

from consumers.metrics import ConsumerMetrics
from consumers.policy import WorkerPolicy
from consumers.upkeep.pace import Pace, own_stripes
from service.runtime.trouble import Trouble
from service.store.errors import FencedError, StoreUnavailableError
from service.store.redis.views import DamagedError
from service.store.retention import Sweeper

DAY_MS = 86_400_000

_REDIS_SHARE = 0.2  # the most of Redis' time that a sweep takes
_UNASSIGNED_SECONDS = 1.0

_log = logging.getLogger(__name__)


def find_horizon_ms(now_ms: int, days: int | None) -> int:
    """Returns the horizon (Unix ms): the start of the UTC day so many days ago, or 0 if there is no retention."""
    return 0 if days is None else max(0, now_ms // DAY_MS - days) * DAY_MS


@dataclass(frozen=True, slots=True)
class Sweeping:
    """Sweeps the stripes that fall to this consumer by its partitions; in a group each falls to some consumer."""

    consumer: AIOKafkaConsumer
    sweeper: Sweeper
    metrics: ConsumerMetrics
    policy: WorkerPolicy

    async def run(self) -> None:
        """Sweeps again and again until cancelled; a Consumer runs it beside the worker. Raises LayoutError."""
        trouble = Trouble()
        while True:
            stripes = own_stripes(self.consumer, self.policy.topic)
            try:
                for stripe in stripes:
                    await self._sweep(stripe)
            except (StoreUnavailableError, FencedError) as error:
                fields = trouble.note(str(error))
                if fields is not None:
                    _log.warning("the store is swept later", extra={"error": str(error), **fields})
            else:
                fields = trouble.end() if stripes else None
                if fields is not None:
                    _log.info("the store is swept again", extra=fields)
            await asyncio.sleep(self.policy.sweep_seconds if stripes else _UNASSIGNED_SECONDS)

    async def _sweep(self, stripe: int) -> None:
        pace = Pace(lambda: _REDIS_SHARE, asyncio.get_running_loop().time)
        try:
            swept = await self.sweeper.sweep(stripe, pace.pause)
        except DamagedError as error:
            _log.error("a stripe is damaged and is not swept", extra={"stripe": stripe, "detail": str(error)})
            return
        if swept is None:
            return
        self.metrics.forgotten_jobs.inc(swept.records)
        for project_id, problem in swept.refused.items():
            _log.error(
                "jobs before the horizon stay in the store: run `python -m consumers verify --repair`",
                extra={"project_id": project_id, "detail": problem},
            )
