"""Mends a project in which a script has met drift, or a write that ended in part, so that its batch can come again."""

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

# What is wrong with the store, and not with the event.
MARKED = "MARKED"
STORE_IS_WRONG = (MARKED, "DRIFT", "WRONGTYPE", "FAULT")

_LOGGED_DRIFTS = 10

_log = logging.getLogger(__name__)


class MendedError(Exception):
    """A project was in disorder and has been mended; the batch that met it is to be read again."""


@dataclass(frozen=True, slots=True)
class Mender:
    """Mends projects through a client that never repeats a command by itself."""

    client: Client
    metrics: ConsumerMetrics
    hurry: Callable[[], None]
    """Called when it is likely that more is in disorder."""

    async def mend(self, refusal: RefusedError) -> None:
        """Raises MendedError if the project of a refusal was mended, by whomever; returns if nothing can be.

        `sift` calls it. Awaits the reading of all of the project's records, and its batch waits with it. Raises
        StoreUnavailableError, LayoutError.
        """
        if not refusal.problem.startswith(STORE_IS_WRONG):
            return

        is_list = refusal.problem.startswith("WRONGTYPE") and await mend_foreign_list(self.client, refusal.stripe)
        repair = await mend_project(self.client, refusal.project_id)
        mended = len(repair.found) - len(repair.left) + is_list
        _log.error(
            "a project was in disorder",
            extra={"project_id": refusal.project_id, "detail": refusal.problem, "mended": mended, **describe(repair)},
        )
        self.metrics.mended_keys.labels("script").inc(mended)
        self.hurry()
        is_marked = any(isinstance(drift.cause, Unfinished) for drift in repair.left)
        # another consumer may have been here first
        if mended or (refusal.problem.startswith(MARKED) and not is_marked):
            raise MendedError(f"project {refusal.project_id}: {mended} keys mended") from refusal


def describe(repair: Repair) -> dict[str, list[str]]:
    """Returns fields for the log: what was found, and what of it is left."""
    drifts = {"found": repair.found, "left": repair.left}
    return {name: [f"{drift.key} {drift.what}" for drift in some[:_LOGGED_DRIFTS]] for name, some in drifts.items()}
