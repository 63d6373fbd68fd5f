"""What the API needs of a store of statistics, and how a store fails."""

from dataclasses import dataclass
from typing import Protocol


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
