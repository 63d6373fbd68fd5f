"""What the API needs of a store of statistics, and how a store fails."""

from dataclasses import dataclass
from typing import Protocol


class StoreUnavailableError(Exception):
    """The store cannot be reached, or does not answer in time; nothing was read, and what was written is unknown."""


class LayoutError(Exception):
    """The store was written by another version of the layout; this process must not touch it."""


class EvictionError(Exception):
    """Redis would evict counters when its memory is used up; this process must not rely on it."""

    def __init__(self, policy: str) -> None:
        super().__init__(f"Redis has maxmemory-policy {policy}, which throws counters away; noeviction is needed")


class FencedError(Exception):
    """A stripe is not where the writer believed it to be: another writer was there, or the store went back."""

    def __init__(self, stripe: int) -> None:
        super().__init__(f"stripe {stripe} has other offsets than expected")
        self.stripe = stripe


class RefusedError(Exception):
    """A stripe's script refused a batch because of something in it or in the store; nothing was written."""

    def __init__(self, stripe: int, project_id: str, problem: str) -> None:
        super().__init__(f"stripe {stripe}, project {project_id}: {problem}")
        self.stripe = stripe
        self.project_id = project_id
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Answer:
    """Statistics, and the instant (Unix ms) before which every published event is in them (0: none known).

    The body is a `service.statistics.ProjectStatistics` in JSON, ready to be sent. Jobs that start before `horizon_ms`
    count nowhere any more; `gaps` is the number of ranges of events that were lost before they could be read.
    """

    body: bytes
    as_of_ms: int
    horizon_ms: int = 0
    gaps: int = 0


class StatisticsStore(Protocol):
    """Reads statistics; one call is one atomic view of the project."""

    async def read(self, project_id: str, start_ms: int | None, end_ms: int | None, user_id: str | None) -> Answer:
        """Statistics of the jobs that start in `[start_ms, end_ms)`; an open bound is None.

        With `user_id`, of that user's jobs alone (`users` is then None and `total_user_num` 1).
        Raises StoreUnavailableError.
        """
        ...

    async def ping(self) -> None:
        """Raises StoreUnavailableError unless the store answers, LayoutError if it isn't ours."""
        ...
