"""Runs the scrub: audits this consumer's stripes all the time, at a small share of Redis' time, and mends drift."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer

from consumers.ingest.mending import describe
from consumers.metrics import ConsumerMetrics
from consumers.policy import WorkerPolicy
from consumers.upkeep.findings import Findings
from consumers.upkeep.pace import Pace, own_stripes
from service.runtime.trouble import Trouble
from service.store.audit.findings import Drift, Unfinished
from service.store.audit.reads import Sizes
from service.store.audit.repair import Repair
from service.store.audit.repair_lists import mend_foreign_list
from service.store.audit.totals import audit_totals
from service.store.audit.unfinished import mend_project
from service.store.errors import StoreUnavailableError
from service.store.layout.heads import head_bytes
from service.store.layout.keys import head_key, projects_key
from service.store.layout.sizes import set_bytes, string_bytes
from service.store.redis.outages import reaching
from service.store.redis.views import Client, DamagedError, read_head

_HURRY = 10  # so many times the share is used, until a whole pass has been made
_MOST_SHARE = 0.5

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Scrub:
    """Audits and mends the projects of the stripes that fall to this consumer, pass after pass.

    It hurries after the consumer has started, after a resync for a fence or an outage of Redis, and after a project was
    mended.
    """

    consumer: AIOKafkaConsumer
    client: Client
    metrics: ConsumerMetrics
    policy: WorkerPolicy
    clock: Callable[[], float] = time.monotonic
    _trouble: Trouble = field(default_factory=Trouble, init=False)
    _reasons: int = field(default=1, init=False)  # how often `hurry` was called, and once for the start
    _settled_reasons: int = field(default=0, init=False)
    _findings: Findings = field(default_factory=Findings, init=False)

    def hurry(self) -> None:
        """Makes the scrub take a larger share until a whole pass has begun and ended."""
        self._reasons += 1

    def _share(self) -> float:
        is_hurried = self._reasons > self._settled_reasons
        return min(_MOST_SHARE, self.policy.scrub_share * (_HURRY if is_hurried else 1))

    async def run(self) -> None:
        """Makes one pass after another until cancelled; a Consumer runs it beside the worker. Raises LayoutError."""
        metrics, findings = self.metrics, self._findings
        metrics.memory_bytes.set_by(lambda: findings.sizes_bytes(self._own_stripes()))
        metrics.drifted_keys.set_by(lambda: findings.drifted(self._own_stripes()))
        try:
            await self._make_passes()
        finally:
            metrics.memory_bytes.set_all({})
            metrics.drifted_keys.set(None)

    def _own_stripes(self) -> list[int]:
        return own_stripes(self.consumer, self.policy.topic)

    async def _make_passes(self) -> None:
        while True:
            stripes = self._own_stripes()
            self._findings.keep(stripes)
            try:
                if self.consumer.assignment():  # more partitions than stripes: there may be none to look at
                    await self._pass(stripes)
            except (StoreUnavailableError, DamagedError) as error:
                fields = self._trouble.note(str(error))
                if fields is not None:
                    _log.warning("the scrub begins again", extra={"error": str(error), **fields})
            else:
                fields = self._trouble.end() if stripes else None
                if fields is not None:
                    _log.info("the scrub has made a whole pass again", extra=fields)
            await asyncio.sleep(self.policy.scrub_seconds)

    async def _pass(self, stripes: Sequence[int]) -> None:
        reasons = self._reasons
        pace = Pace(self._share, self.clock)  # a new one: a Pace takes all time since its last pause for work
        began = self.clock()
        for stripe in stripes:
            sizes: Sizes = Counter()
            left: list[Drift] = []
            for project_id in await self._projects(stripe, pace, sizes):
                advance = self.metrics.scrubbed_records.inc
                repair = await mend_project(self.client, project_id, advance, pace.pause, sizes.update)
                self.metrics.scrubbed_projects.inc()
                left += self._note(repair, project_id=project_id)
            left += self._note(await audit_totals(self.client, stripe, pace.pause, is_repair=True), stripe=stripe)
            self._findings.note(stripe, sizes, len(left))
        if self._own_stripes() == list(stripes):
            self._settled_reasons = reasons
            self.metrics.scrubbed_seconds.set(time.time())
            self.metrics.scrub_pass_seconds.set(self.clock() - began)

    async def _projects(self, stripe: int, pace: Pace, sizes: Sizes) -> list[str]:
        if await mend_foreign_list(self.client, stripe):
            _log.error("the scrub found a list of projects of another type", extra={"stripe": stripe})
            self.metrics.mended_keys.labels("scrub").inc()
        head = await read_head(self.client, stripe)
        key = projects_key(stripe, head.generation)
        with reaching(f"reading the list of projects of stripe {stripe}"):
            members: Any = await self.client.smembers(key)
        await pace.pause()
        sizes["stripes"] = string_bytes(len(head_key(stripe)), head_bytes(len(head.progress)))
        sizes["stripes"] += set_bytes(len(key), len(members), sum(map(len, members)))
        return sorted(member.decode(errors="replace") for member in members)

    def _note(self, repair: Repair, **of: str | int) -> list[Drift]:
        """Logs and counts what was found in a project, or of a stripe; returns what of it is left."""
        self.metrics.unfinished_writes.labels("scrub").inc(
            sum(isinstance(each.cause, Unfinished) for each in repair.found)
        )
        mended = len(repair.found) - len(repair.left)
        if repair.found:
            _log.error("the scrub found drift", extra={**of, "mended": mended, **describe(repair)})
        if mended:
            self.metrics.mended_keys.labels("scrub").inc(mended)
            self.hurry()
        return repair.left
