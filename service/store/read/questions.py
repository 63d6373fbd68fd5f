"""Answers questions: by a look where all that an answer needs is remembered, and else by reading the nodes of a cover.

What was read is checked against the shape that the cover was made for.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from service.runtime.digests import digest_of
from service.store.contract import Answer, How
from service.store.errors import StoreUnavailableError
from service.store.read.answer_cache import AnswerCache, Question, Remembered
from service.store.read.bodies import Bodies, Doubts
from service.store.read.held import Held
from service.store.read.known import QUESTION_SECONDS, Known, KnownProjects
from service.store.read.looks import Looks
from service.store.read.plan import Plan
from service.store.read.view import Look

Again: TypeAlias = Callable[[Look], Answer | None]
"""Makes an answer at a look; None: something was written to the project, and it has to be asked for."""
_ATTEMPTS = 20  # a shape changes at splits only: to meet that many in a row, a read must be starved


class Questions:
    """Answers the questions of one reader. It raises DamagedError, StoreUnavailableError and what the client raises."""

    def __init__(
        self,
        looks: Looks,
        bodies: Bodies,
        projects: KnownProjects,
        answers: AnswerCache,
        monotonic_seconds: Callable[[], float],
    ) -> None:
        self._looks = looks
        self._bodies = bodies
        self._projects = projects
        self._answers = answers
        self._monotonic_seconds = monotonic_seconds

    def begin(self, question: Question) -> Again | Plan:
        """Returns what makes the answer of a look, if all that it needs is remembered; else what is to be asked for."""
        known, remembered = self._projects.of(question.project_id), self._answers.get(question)
        if remembered is not None:
            return partial(self._still, question, known, remembered)
        plan = self._plan(question, known)
        held = self._bodies.held(question, known, plan)
        return plan if held is None else partial(self._from_held, question, known, held)

    async def answer(self, question: Question, begun: Again | Plan) -> Answer:
        """Returns the answer to a question that has begun."""
        known = self._projects.of(question.project_id)
        if isinstance(begun, Plan):
            return await self._asked(question, known, begun)
        found = begun((await self._looks.joined(question.project_id)).look)
        return found or await self._asked(question, known, self._plan(question, known))

    async def _asked(self, question: Question, known: Known, plan: Plan) -> Answer:
        """Asks until what the keys were chosen by - generation, horizon, shape, names - is what the reply says."""
        project_id, doubts, began_seconds = question.project_id, Doubts(), self._monotonic_seconds()
        for attempt in range(_ATTEMPTS):
            if attempt:
                if self._monotonic_seconds() - began_seconds > QUESTION_SECONDS:
                    raise StoreUnavailableError(f"reading a project: no answer within {QUESTION_SECONDS:g} s")
                plan = self._plan(question, known)
            view = await self._looks.at(project_id, plan.asked)
            if view.look.head.live != plan.live:
                continue
            if view.meta is not None:
                if view.meta.shape_id != plan.shape.shape_id:
                    await self._bodies.learn_shape(project_id, known, plan.live.generation)
                    continue
                plan.check(project_id, view)
            body = await self._bodies.of(question, known, plan, view, doubts)
            if body is not None:
                how: How = "reread" if attempt else "read"
                return self._made(question, view.look, body, how, is_kept=view.meta is not None)
        raise StoreUnavailableError(f"project {project_id} changed under each of its reads", "changed")

    def _plan(self, question: Question, known: Known) -> Plan:
        return Plan.of(question, known, self._looks.live_of(question.project_id))

    def _still(self, question: Question, known: Known, remembered: Remembered, look: Look) -> Answer | None:
        """Returns an answer that was given before, if by this look it holds; else forgets it."""
        if look.stamp == remembered.stamp:
            return self._of(look, remembered, "looked")
        self._answers.forget(question)
        known.unsettle(remembered.stamp)
        return None

    def _from_held(self, question: Question, known: Known, held: Held, look: Look) -> Answer | None:
        """Returns the answer that is made of nodes that are held, if by this look they hold."""
        body = self._bodies.of_held(known, held, look)
        return None if body is None else self._made(question, look, body, "looked")

    def _made(self, question: Question, look: Look, body: bytes, how: How, *, is_kept: bool = True) -> Answer:
        made = Remembered(look.stamp, body, digest_of(body))
        if is_kept:
            self._answers.put(question, made)
        return self._of(look, made, how)

    def _of(self, look: Look, made: Remembered, how: How) -> Answer:
        head, as_of_ms = look.head, self._looks.as_of_ms(look)
        return Answer(made.body, made.digest, as_of_ms, head.live.horizon_ms, head.gaps, how, made.stamp)
