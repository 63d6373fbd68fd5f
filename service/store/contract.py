"""The interface by which the API reads statistics. RedisStatisticsStore and WatchedStore implement it."""

from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from service.events.event import JobStatus

How = Literal["looked", "read", "reread", "series"]
"""How an answer was had: it was remembered, or all that it is made of, and a look has shown that this holds; read at
once; or read several times, as what the first read was chosen by was not known, or had changed. A `series` is told
apart."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question: statistics, their as-of, the horizon, and the number of gaps.

    `body` is a `service.statistics.ProjectStatistics` in JSON, ready to be sent, with its `digest`. Every event
    published before `as_of_ms` (Unix ms; 0: none known) is in it. Jobs that start before `horizon_ms` no longer count.
    `gaps` is the number of ranges of offsets that were lost before they could be read. `how` is for metrics. While the
    project's `Standing` has this `stamp`, another answer to the question would have the same body.
    """

    body: bytes
    digest: str
    as_of_ms: int
    horizon_ms: int = 0
    gaps: int = 0
    how: How = field(default="read", compare=False)
    stamp: Hashable = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a project stands: a stamp that changes with every write to it, and the as-of of its answers (Unix ms).

    The stamp says nothing but whether it equals another one. It may change although no answer does.
    """

    stamp: Hashable
    as_of_ms: int


@dataclass(frozen=True, slots=True)
class Series:
    """The statistics of consecutive intervals of start times, all of one instant.

    `jobs` has a column for each status, in the order of their ranks. It and `size_bytes`, the bytes of input, have one
    int for each interval. The other fields are as in an Answer; before the horizon all is 0.
    """

    jobs: Mapping[JobStatus, Sequence[int]]
    size_bytes: Sequence[int]
    as_of_ms: int
    horizon_ms: int = 0
    gaps: int = 0


@dataclass(frozen=True, slots=True)
class Freshness:
    """The least and the greatest as-of that an answer could have now (Unix ms); 0 where none is known."""

    oldest_ms: int
    newest_ms: int


@dataclass(frozen=True, slots=True)
class StoreTotals:
    """What all projects count together: the number of jobs by status, and the bytes of their input.

    Jobs that start before the horizon are in it until a sweep has taken them out.
    """

    jobs: Mapping[JobStatus, int]
    size_bytes: int


class StatisticsStore(Protocol):
    """A store that answers questions; each answer is made from one atomic view of the project."""

    async def read(self, project_id: str, start_ms: int | None, end_ms: int | None, user_id: str | None) -> Answer:
        """Returns the statistics of the jobs that start in `[start_ms, end_ms)`; None is an open bound.

        With `user_id` they are those of that user's jobs alone (`users` is then absent and `total_user_num` 1).
        Raises StoreUnavailableError, LayoutError.
        """
        ...

    def ask(
        self,
        project_id: str,
        start_ms: int | None,
        end_ms: int | None,
        user_id: str | None,
        tell: Callable[[Answer | Exception | None], None],
    ) -> Coroutine[Any, Any, Answer] | None:
        """Returns what is to be awaited for what `read` returns; or None, and calls `tell` once, later, with that.

        None is for answers that are remembered, or all that they are made of: they cost less than a task. It calls
        `tell` with None if they hold no more, and with what `read` would raise.
        """
        ...

    async def series(
        self, project_id: str, borders_ms: Sequence[int], user_id: str | None, user_name: str | None
    ) -> Series:
        """Returns the statistics of the intervals between borders, which ascend: n + 1 borders for n intervals.

        With `user_id` they are those of that user's jobs alone. With `user_name` they are those of all users who have
        exactly this name, zeros where nobody has it. Raises StoreUnavailableError, LayoutError.
        """
        ...

    async def standing(self, project_id: str) -> Standing:
        """Returns how a project stands now, at a small part of the cost of an answer.

        Raises StoreUnavailableError, LayoutError.
        """
        ...

    async def ping(self) -> None:
        """Raises StoreUnavailableError unless the store answers, LayoutError if it has another layout version."""
        ...

    async def freshness(self) -> Freshness:
        """Returns how fresh answers are. Raises StoreUnavailableError, LayoutError."""
        ...

    async def totals(self) -> StoreTotals | None:
        """Returns what all projects count together; None while that is not known, or is not kept in this layout.

        Raises StoreUnavailableError, LayoutError.
        """
        ...
