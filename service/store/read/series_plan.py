"""What a series is asked for, what is read for it by a shape that is known, and what becomes of the sums. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.events.event import JobStatus
from service.store.layout.heads import Live
from service.store.layout.keys import project_prefix
from service.store.read.known import KnownShape
from service.store.read.node_checks import check_nodes
from service.store.read.series_cover import Nodes, find_nodes
from service.store.read.series_sums import SeriesSums
from service.store.read.view import Asked, Look, View, node_keys
from service.store.redis.views import DamagedError


class SeriesQuestion(NamedTuple):
    """A question for a series: of the jobs of a user, of all users with a name, or of everybody."""

    project_id: str
    borders_ms: Sequence[int]
    user_id: str | None
    user_name: str | None


class Points(NamedTuple):
    """What a question for a series is answered with: a list for each status, the bytes of input, and the last look."""

    jobs: list[list[int]]
    size_bytes: list[int]
    look: Look

    def nothing(self) -> "Points":
        """Returns a series of zeros as long as this."""
        return Points(*_zeros(len(self.size_bytes)), self.look)


class Plan:
    """The nodes of a series, chosen by a shape, a generation and a horizon."""

    def __init__(self, question: SeriesQuestion, shape: KnownShape, live: Live) -> None:
        self.shape = shape
        self.live = live
        self._prefix = project_prefix(question.project_id, live.generation)
        borders_ms = np.array(question.borders_ms, np.int64)
        self._before = max(0, int(borders_ms.searchsorted(live.horizon_ms, "right")) - 1)
        self.borders_ms: NDArray[np.int64] = np.maximum(borders_ms[self._before :], live.horizon_ms)
        self.nodes = find_nodes(shape.levels, self.borders_ms)

    def asked(self, piece: Nodes, *, wants_namings: bool = False) -> Asked:
        """Returns what a look asks for."""
        nodes = piece.cover()
        keys = node_keys(self._prefix, nodes)
        return Asked(self.live.generation, cover=nodes, keys=keys, wants_namings=wants_namings)

    def check(self, view: View) -> None:
        """Raises DamagedError for a view whose nodes are not as the shape says."""
        check_nodes(self._prefix, self.shape.shape, view.asked.cover, view.nodes)
        raise DamagedError(self._prefix, "has a node that is unlike the shape")

    def points(self, sums: SeriesSums, look: Look) -> Points:
        """Returns the series that sums make: zeros for the intervals before the horizon. Raises DamagedError."""
        jobs, size_bytes = sums.result()
        jobs_before, bytes_before = _zeros(self._before)
        return Points([a + b for a, b in zip(jobs_before, jobs, strict=True)], bytes_before + size_bytes, look)


def _zeros(intervals: int) -> tuple[list[list[int]], list[int]]:
    return [[0] * intervals for _ in JobStatus], [0] * intervals
