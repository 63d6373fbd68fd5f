"""Reads series: the statistics of consecutive intervals of start times, all from one atomic view.

A large series is read in pieces, between which Redis serves others. All pieces are one view if the project's write id,
and the generation and the horizon of its stripe, are the same in each.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import numpy as np

from service.runtime.tasks import side_by_side
from service.store.errors import StoreUnavailableError
from service.store.layout.heads import Live
from service.store.layout.projects import Meta
from service.store.read.bodies import Bodies, Doubts
from service.store.read.known import Known
from service.store.read.learning import Learning
from service.store.read.project_turns import ProjectTurns
from service.store.read.series_cover import Nodes
from service.store.read.series_items import Chosen
from service.store.read.series_plan import Plan, Points, SeriesQuestion
from service.store.read.series_sums import SeriesSums
from service.store.read.view import Asked, View

SERIES_SECONDS = 3.0  # that a series takes at most, with waiting for others; each of its reads takes a second at most
_ATTEMPTS = 20
_ATTEMPTS_IN_PIECES = 4  # of which two are for what a reader does not know yet
_PIECE_KEYS = 1_000  # hold Redis for some 1.5 ms
_PIECE_BYTES = 4 * 1024 * 1024  # that a piece should not exceed, as far as the piece before it tells
_LEAST_KEYS = 100
_MANY_KEYS = 10_000  # read at once where writes come between the pieces again and again
_LARGE_BYTES = 512 * 1024  # whose sums take longer than the way to a thread and back


class SeriesReader:
    """Makes series for a reader, which has the connections and the memories. It reads one large series at a time."""

    def __init__(
        self,
        look: Callable[[str, Asked], Awaitable[View]],
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
        self._turns = ProjectTurns()

    async def read(self, question: SeriesQuestion, known: Known) -> Points:
        """Answers a question. Raises DamagedError, StoreUnavailableError, LayoutError and what the client raises."""
        try:
            async with asyncio.timeout(SERIES_SECONDS), AsyncExitStack() as turn:
                return await self._read(question, known, turn)
        except TimeoutError as error:
            raise TimeoutError(f"no answer within {SERIES_SECONDS:g} s") from error

    async def _read(self, question: SeriesQuestion, known: Known, turn: AsyncExitStack) -> Points:
        doubts, has_turn = Doubts(), False
        for attempt in range(_ATTEMPTS):
            plan = Plan(question, known.shape, self._live(question.project_id))
            if len(plan.nodes) > _PIECE_KEYS and not has_turn:
                await turn.enter_async_context(self._turns.of(question.project_id))
                has_turn = True
            keys = _PIECE_KEYS if attempt < _ATTEMPTS_IN_PIECES else _MANY_KEYS
            points = await self._read_pieces(question, known, plan, keys, doubts)
            if points is not None:
                return points
        raise StoreUnavailableError(f"project {question.project_id} changed under each of its reads", "changed")

    async def _read_pieces(
        self, question: SeriesQuestion, known: Known, plan: Plan, keys: int, doubts: Doubts
    ) -> Points | None:
        """Returns what the question is answered with, None if it has to be asked again; `keys` are the first piece."""
        project_id, sums = question.project_id, SeriesSums(plan.borders_ms)
        piece, at = plan.nodes.part(slice(0, keys)), keys
        wants_namings = question.user_name is not None and known.wants_namings
        first = view = await self._look(project_id, plan.asked(piece, wants_namings=wants_namings))
        while await self._is_as_planned(project_id, known, plan, view) and view.look.stamp == first.look.stamp:
            if view.meta is None:
                is_nothing = await self._bodies.is_nothing(project_id, view, doubts)
                return plan.points(sums, view.look) if is_nothing else None
            if view is first:
                is_known, sums.chosen = await self._chosen(question, known, view, view.meta, doubts)
                if not is_known:
                    return None
            size_bytes = sum(map(len, filter(None, view.nodes)))
            adding = _add(sums, plan, piece, view, in_thread=size_bytes > _LARGE_BYTES)
            if at >= len(plan.nodes):
                await adding
                return await self._checked(question, plan.points(sums, view.look), view, doubts)
            if size_bytes > _PIECE_BYTES and keys < _MANY_KEYS:
                keys = max(_LEAST_KEYS, len(piece) * _PIECE_BYTES // size_bytes)
            piece, at = plan.nodes.part(slice(at, at + keys)), at + keys
            # Redis reads the next piece while this one is added up
            _, view = await side_by_side(adding, self._look(project_id, plan.asked(piece)))
        return None

    async def _is_as_planned(self, project_id: str, known: Known, plan: Plan, view: View) -> bool:
        """Tells whether a view has what the nodes were chosen by; if not, the reader has learnt what it is now."""
        if view.look.head.live != plan.live:
            return False
        if view.meta is not None and view.meta.shape_id != plan.shape.shape_id:
            await self._bodies.learn_shape(project_id, known, plan.live.generation)
            return False
        return True

    async def _chosen(
        self, question: SeriesQuestion, known: Known, view: View, meta: Meta, doubts: Doubts
    ) -> tuple[bool, Chosen | None]:
        """Returns whether the names that the question is about are known, and what tells whose jobs count."""
        if question.user_id is not None:
            key = np.uint64(int.from_bytes(self._key_of_user(question.user_id), "little"))
            return True, lambda keys: keys == key
        if question.user_name is None:
            return True, None
        names = await self._bodies.names(question.project_id, known, view, meta, doubts)
        return names is not None, None if names is None else names.with_name(question.user_name)

    async def _checked(self, question: SeriesQuestion, points: Points, view: View, doubts: Doubts) -> Points | None:
        """Returns a user's series if its key is that user's own, zeros if it is another's, None if it is nobody's."""
        if question.user_id is None or view.meta is None or not any(map(any, points.jobs)):
            return points
        generation, names_id = view.asked.generation, view.meta.names_id
        is_user = await self._learning.is_user(question.project_id, generation, question.user_id, names_id)
        if is_user is None:
            doubts.add("u", "lacks a user who has jobs")
            return None
        return points if is_user else points.nothing()


async def _add(sums: SeriesSums, plan: Plan, piece: Nodes, view: View, *, in_thread: bool) -> None:
    """Adds up what a view has of a piece. Raises DamagedError."""
    is_right = await asyncio.to_thread(sums.add, piece, view.nodes) if in_thread else sums.add(piece, view.nodes)
    if not is_right:
        plan.check(view)
