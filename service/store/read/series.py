"""Reads series: the statistics of consecutive intervals of start times, all from one atomic view.

A large series is read in pieces, between which Redis serves others. All pieces are one view if the project's write id,
and the generation and the horizon of its stripe, are the same in each.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.events.event import JobStatus
from service.store.errors import StoreUnavailableError
from service.store.layout.heads import Live
from service.store.layout.keys import project_prefix
from service.store.layout.projects import Meta
from service.store.read.bodies import Bodies, Doubts
from service.store.read.known import Known, KnownShape
from service.store.read.learning import Learning
from service.store.read.names import Numbers
from service.store.read.node_checks import check_nodes
from service.store.read.series_cover import Nodes, find_nodes
from service.store.read.series_sums import SeriesSums
from service.store.read.view import Asked, Look, View
from service.store.redis.views import DamagedError

SERIES_SECONDS = 3.0  # that a series takes at most, with waiting for others; each of its reads takes a second at most
_ATTEMPTS = 20
_ATTEMPTS_IN_PIECES = 4
_PIECE_KEYS = 1_000  # hold Redis for some 1.5 ms
_MANY_KEYS = 10_000  # read at once where writes come between the pieces again and again
_LARGE_BYTES = 256 * 1024  # whose sums take longer than the way to a thread and back


class SeriesQuestion(NamedTuple):
    """A question for a series: of the jobs of a user, of all users with a name, or of everybody."""

    project_id: str
    borders_ms: Sequence[int]
    user_id: str | None
    user_name: str | None


class Points(NamedTuple):
    """What a question for a series is answered with: a list for each status, the bytes of input, and the look."""

    jobs: list[list[int]]
    size_bytes: list[int]
    look: Look


class _Plan(NamedTuple):
    """What is read: chosen by a shape, a generation and a horizon. `hidden` intervals lie before the horizon."""

    shape: KnownShape
    live: Live
    borders_ms: NDArray[np.int64]
    hidden: int
    nodes: Nodes

    def pieces(self, keys: int) -> list[Nodes]:
        """Returns the nodes in pieces, at least one."""
        return [self.nodes.part(slice(at, at + keys)) for at in range(0, max(1, len(self.nodes)), keys)]


class SeriesReader:
    """Makes series for a reader, which has the connections and the memories. It reads one large series at a time."""

    def __init__(
        self,
        look: Callable[[str, Known, Asked], Awaitable[View]],
        live: Callable[[str], Live],
        learning: Learning,
        bodies: Bodies,
        key_of_user: Callable[[str], bytes],
    ) -> None:
        self._look = look
        self._live = live
        self._learning = learning
        self._bodies = bodies
        self._key_of_user = key_of_user
        self._turn = asyncio.Semaphore(1)

    async def read(self, question: SeriesQuestion, known: Known) -> Points:
        """Answers a question. Raises DamagedError, StoreUnavailableError, LayoutError and what the client raises."""
        doubts, has_turn = Doubts(), False
        async with asyncio.timeout(SERIES_SECONDS), AsyncExitStack() as held:
            for attempt in range(_ATTEMPTS):
                plan = _plan(question, known, self._live(question.project_id))
                if len(plan.nodes) > _PIECE_KEYS and not has_turn:
                    await held.enter_async_context(self._turn)
                    has_turn = True
                pieces = plan.pieces(_PIECE_KEYS if attempt < _ATTEMPTS_IN_PIECES else _MANY_KEYS)
                points = await self._read_pieces(question, known, plan, pieces, doubts)
                if points is not None:
                    return points
        raise StoreUnavailableError(f"project {question.project_id} changed under each of its reads", "changed")

    async def _read_pieces(
        self, question: SeriesQuestion, known: Known, plan: _Plan, pieces: list[Nodes], doubts: Doubts
    ) -> Points | None:
        """Returns what the question is answered with, or None if it has to be asked again."""
        project_id, sums, stamp = question.project_id, SeriesSums(plan.borders_ms), None
        wants_namings = question.user_name is not None and known.wants_namings
        view = await self._look(project_id, known, _asked(plan, pieces[0], wants_namings))
        for number, piece in enumerate(pieces, 1):
            if view.look.head.live != plan.live or stamp not in {None, view.look.stamp}:
                return None
            if view.meta is None:
                is_nothing = await self._bodies.is_nothing(project_id, view, doubts)
                return _points(sums, plan, view) if is_nothing else None
            if view.meta.shape_id != plan.shape.shape_id:
                known.shape = await self._learning.shape(project_id, plan.live.generation)
                return None
            if stamp is None:
                stamp = view.look.stamp
                is_known, sums.users = await self._users(question, known, view, view.meta, doubts)
                if not is_known:
                    return None
            adding = _add(sums, project_prefix(project_id, plan.live.generation), plan, piece, view)
            if number == len(pieces):
                await adding
            else:  # Redis reads the next piece meanwhile
                asked = _asked(plan, pieces[number], wants_namings=False)
                _, view = await asyncio.gather(adding, self._look(project_id, known, asked))
        return await self._checked(question, _points(sums, plan, view), view, doubts)

    async def _users(
        self, question: SeriesQuestion, known: Known, view: View, meta: Meta, doubts: Doubts
    ) -> tuple[bool, Numbers | None]:
        """Returns whether the view's names are known, and the keys of the users who are asked for; None: everybody."""
        if question.user_id is not None:
            key = int.from_bytes(self._key_of_user(question.user_id), "little")
            return True, np.array([key], np.uint64)
        if question.user_name is None:
            return True, None
        names = await self._bodies.names(question.project_id, known, view, meta, doubts)
        return names is not None, None if names is None else names.keys_of(question.user_name)

    async def _checked(self, question: SeriesQuestion, points: Points, view: View, doubts: Doubts) -> Points | None:
        """Returns a user's series if its key is that user's own, zeros if it is another's, None if it is nobody's."""
        if question.user_id is None or view.meta is None or not any(map(any, points.jobs)):
            return points
        generation, names_id = view.asked.generation, view.meta.names_id
        is_user = await self._learning.is_user(question.project_id, generation, question.user_id, names_id)
        if is_user is None:
            doubts.add("u", "lacks a user who has jobs")
            return None
        return points if is_user else Points(*_zeros(len(points.size_bytes)), points.look)


def _plan(question: SeriesQuestion, known: Known, live: Live) -> _Plan:
    borders_ms = np.array(question.borders_ms, np.int64)
    hidden = max(0, int(borders_ms.searchsorted(live.horizon_ms, "right")) - 1)
    borders_ms = np.maximum(borders_ms[hidden:], live.horizon_ms)
    return _Plan(known.shape, live, borders_ms, hidden, find_nodes(known.shape.levels, borders_ms))


def _asked(plan: _Plan, piece: Nodes, wants_namings: bool) -> Asked:
    return Asked(plan.live.generation, cover=piece.cover(), wants_namings=wants_namings)


async def _add(sums: SeriesSums, prefix: str, plan: _Plan, piece: Nodes, view: View) -> None:
    """Adds up what a view has of a piece. Raises DamagedError."""
    if sum(map(len, filter(None, view.nodes))) < _LARGE_BYTES:
        is_right = sums.add(piece, view.nodes)
    else:
        is_right = await asyncio.to_thread(sums.add, piece, view.nodes)
    if not is_right:
        check_nodes(prefix, plan.shape.shape, view.asked.cover, view.nodes)
        raise DamagedError(prefix, "has a node that is unlike the shape")


def _points(sums: SeriesSums, plan: _Plan, view: View) -> Points:
    jobs, size_bytes = sums.result()
    earlier_jobs, earlier_bytes = _zeros(plan.hidden)
    return Points([a + b for a, b in zip(earlier_jobs, jobs, strict=True)], earlier_bytes + size_bytes, view.look)


def _zeros(intervals: int) -> tuple[list[list[int]], list[int]]:
    return [[0] * intervals for _ in JobStatus], [0] * intervals
