"""The jobs of all projects as metrics: known or not there, asked for rarely, and no scrape hangs for them."""

import asyncio
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from service.api.totals import KEPT_SECONDS, READ_SECONDS, TotalsExport
from service.events.event import JobStatus
from service.store.contract import StoreTotals
from service.store.errors import LayoutError, StoreUnavailableError
from tests.api.support import Clock, FakeStore, ask, served

TOTALS = StoreTotals({status: 10 + status for status in JobStatus}, 2**70)


@dataclass
class Page:
    """The metrics of a store's totals, and how often it was asked."""

    store: FakeStore = field(default_factory=lambda: FakeStore(store_totals=TOTALS))
    clock: Clock = field(default_factory=Clock)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.export = TotalsExport(self.store, self.registry, 0.05, self.clock)

    def values(self) -> dict[str, float]:
        """What a scrape finds, by status or name."""
        samples = [sample for family in self.registry.collect() for sample in family.samples]
        return {sample.labels.get("status", sample.name): sample.value for sample in samples}

    async def scraped(self, after_seconds: float = 0.0) -> dict[str, float]:
        """What a scrape finds so much later."""
        self.clock.now_seconds += after_seconds
        await self.export.look()
        return self.values()


def known(at_seconds: float, totals: StoreTotals = TOTALS) -> dict[str, float]:
    """The series of totals that were read then."""
    jobs = {status.name: float(number) for status, number in totals.jobs.items()}
    return {**jobs, "stats_jobs_input_bytes": float(totals.size_bytes), "stats_jobs_timestamp_seconds": at_seconds}


UNKNOWN = {"stats_jobs_timestamp_seconds": 0.0}


async def test_totals_are_read_once_in_a_while() -> None:
    """Between two reads a scrape shows what is known, and when that was read."""
    page = Page()
    assert await page.scraped() == known(1_000.0)
    page.store.store_totals = StoreTotals(dict.fromkeys(JobStatus, 0), 0)
    assert await page.scraped(READ_SECONDS - 0.5) == known(1_000.0)
    assert await page.scraped(0.5) == known(1_000.0 + READ_SECONDS, page.store.store_totals)
    page.store.store_totals = None
    assert await page.scraped(READ_SECONDS) == UNKNOWN


async def test_old_totals_are_dropped() -> None:
    """While the store is away, or of a layout that is not known, the last numbers stay for a while and no longer."""
    for error in (StoreUnavailableError("refused"), LayoutError("layout 5")):
        page = Page()
        await page.scraped()
        page.store.error = error
        assert await page.scraped(KEPT_SECONDS - 1) == known(1_000.0)
        assert await page.scraped(1) == UNKNOWN
        page.store.error = None
        assert await page.scraped(READ_SECONDS) == known(1_000.0 + KEPT_SECONDS + READ_SECONDS)


async def test_a_store_that_hangs_holds_no_scrape() -> None:
    """The question is given up, and another scrape does not wait for it."""
    page = Page()
    page.store.gate.clear()
    waiting = asyncio.create_task(page.export.look())
    await page.store.entered.wait()
    assert await page.scraped() == UNKNOWN
    await waiting
    assert page.values() == UNKNOWN


async def test_the_page_has_them() -> None:
    """`/metrics` of the API, with the states as a label."""
    async with served(FakeStore(store_totals=TOTALS)) as api:
        text = (await ask(api.port, path="/metrics")).body.decode()
    jobs = {
        sample.labels["status"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "stats_jobs"
    }
    assert jobs == {status.name: 10 + status for status in JobStatus}
