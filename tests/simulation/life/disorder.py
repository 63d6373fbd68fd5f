"""Notes whether consumers have found the store in disorder, which it must not be unless a script ended in part."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from tests.simulation.life.plan import Plan

_FINDERS = ("consumers.ingest.mending", "consumers.upkeep.scrub")
_CAUSES = ("redis_forbids_a_command", "redis_forbids_keys")  # nothing else ends a script after its first write


class Disorder(logging.Handler):
    """Keeps what consumers have logged as disorder of the store."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []
        for name in _FINDERS:
            logging.getLogger(name).addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a line of the log in; logging calls it."""
        about = {name: value for name, value in vars(record).items() if name in {"project_id", "stripe", "found"}}
        self.found.append(f"{record.getMessage()} {about}")

    def check(self, plan: Plan, drifts: Sequence[Mapping[str, Any]]) -> None:
        """Raises AssertionError if the store was in disorder though no script can have ended in part.

        `drifts` is what `verify --repair` has found meanwhile.
        """
        if not any(each.fault in _CAUSES for each in plan.breakages):
            assert not self.found, self.found
            assert not drifts, drifts
