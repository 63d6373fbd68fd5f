"""Exports what all projects count together, as gauges that have no series while that is not known."""

import asyncio
import logging
import time
from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge

from service.runtime.metrics import KnownGauge
from service.store.contract import StatisticsStore, StoreTotals
from service.store.errors import LayoutError, StoreUnavailableError

READ_SECONDS = 5.0
"""The store is not asked again before: scrapes come as often as they like."""
KEPT_SECONDS = 30.0
"""What was read is no longer shown after this time, if nothing newer could be read."""

_log = logging.getLogger(__name__)


class TotalsExport:
    """Reads the totals of a store for the metrics of the process. `get_metrics` asks it at each scrape."""

    def __init__(
        self,
        store: StatisticsStore,
        registry: CollectorRegistry,
        patience_seconds: float,
        now_seconds: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._patience_seconds = patience_seconds
        self._now_seconds = now_seconds
        self._asked_at_seconds = self._read_at_seconds = 0.0
        self._jobs = KnownGauge("stats_jobs", "Jobs of all projects, by state.", "status", registry=registry)
        self._size = KnownGauge("stats_jobs_input_bytes", "Input of all jobs of all projects.", registry=registry)
        self._timestamp = Gauge(
            "stats_jobs_timestamp_seconds",
            "When the jobs of all projects were read, Unix time; 0: they are not known.",
            registry=registry,
        )

    async def look(self) -> None:
        """Reads the totals, unless that was tried a moment ago; what was read long ago is no longer shown."""
        now_seconds = self._now_seconds()
        if abs(now_seconds - self._asked_at_seconds) >= READ_SECONDS:
            self._asked_at_seconds = now_seconds
            try:
                async with asyncio.timeout(self._patience_seconds):
                    self._show(await self._store.totals(), now_seconds)
            except (StoreUnavailableError, LayoutError, TimeoutError) as error:
                _log.debug("the totals are not known: %s", str(error) or "no answer in time")
        if abs(now_seconds - self._read_at_seconds) >= KEPT_SECONDS:
            self._show(None, 0.0)

    def _show(self, totals: StoreTotals | None, now_seconds: float) -> None:
        self._read_at_seconds = now_seconds if totals else 0.0
        self._jobs.set_all({status.name: number for status, number in totals.jobs.items()} if totals else {})
        self._size.set(totals.size_bytes if totals else None)
        self._timestamp.set(self._read_at_seconds)


TOTALS = web.AppKey("totals", TotalsExport)
