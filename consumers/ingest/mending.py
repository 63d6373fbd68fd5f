"""Mends a project in which a script has met drift, or a write that ended in part.

The batch that met it is read again afterwards.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from consumers.metrics import ConsumerMetrics
from service.store.audit.findings import Unfinished
from service.store.audit.repair import Repair
from service.store.audit.repair_lists import mend_foreign_list
from service.store.audit.unfinished import mend_project
from service.store.errors import RefusedError
from service.store.redis.views import Client

# The problems of refusals that blame the store, and not the event.
MARKED = "MARKED"
STORE_IS_WRONG = (MARKED, "DRIFT", "WRONGTYPE", "FAULT")

_LOGGED_DRIFTS = 10

_log = logging.getLogger(__name__)


class MendedError(Exception):
    """Says that a project was in disorder and has been mended; the batch that met the disorder must be read again."""


@dataclass(frozen=True, slots=True)
class Mender:
    """Mends projects through a Redis client that never repeats a command by itself."""

    client: Client
    metrics: ConsumerMetrics
    hurry: Callable[[], None]
    """Makes the scrub hurry; `mend` calls it, as other projects are probably in disorder too."""

    async def mend(self, refusal: RefusedError) -> None:
        """Mends the project of a refusal, and raises MendedError if this or another consumer has mended it.

        Returns if nothing can be mended. `sift` calls it. Awaits the reading of all of the project's records, and
        the batch waits with it. Raises StoreUnavailableError, LayoutError.
        """
        if not refusal.problem.startswith(STORE_IS_WRONG):
            return
        if refusal.problem.startswith(MARKED):
            self.metrics.unfinished_writes.labels("script").inc()
        is_list = refusal.problem.startswith("WRONGTYPE") and await mend_foreign_list(self.client, refusal.stripe)
        repair = await mend_project(self.client, refusal.project_id)
        mended = len(repair.found) - len(repair.left) + is_list
        _log.error(
            "a project was in disorder",
            extra={
                "project_id": refusal.project_id,
                "stripe": refusal.stripe,
                "detail": refusal.problem,
                "mended": mended,
                **describe(repair),
            },
        )
        self.metrics.mended_keys.labels("script").inc(mended)
        self.hurry()
        is_marked = any(isinstance(drift.cause, Unfinished) for drift in repair.left)
        # another consumer may have mended it first
        if mended or (refusal.problem.startswith(MARKED) and not is_marked):
            raise MendedError(f"project {refusal.project_id}: {mended} keys mended") from refusal


def describe(repair: Repair) -> dict[str, list[str]]:
    """Returns fields for the log: the drift that was found, and the drift that is left."""
    drifts = {"found": repair.found, "left": repair.left}
    return {name: [f"{drift.key} {drift.what}" for drift in some[:_LOGGED_DRIFTS]] for name, some in drifts.items()}
