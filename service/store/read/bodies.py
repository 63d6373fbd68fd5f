"""From a view of a project to the body of an answer; what the view does not say itself is asked for."""

from collections.abc import Callable

import numpy as np

from service.store.layout.keys import project_prefix
from service.store.layout.projects import Meta
from service.store.read.answer_cache import Question
from service.store.read.answers import administrator_body, sub_user_body
from service.store.read.held import Held, body_of
from service.store.read.known import Known, KnownProjects, Settled
from service.store.read.learning import Learning
from service.store.read.names import Names, parse_namings
from service.store.read.node_checks import parsed
from service.store.read.node_memory import NodeMemory
from service.store.read.node_rows import STATUSES
from service.store.read.plan import Plan
from service.store.read.sums import Sums, sum_user
from service.store.read.view import Look, View
from service.store.redis.views import DamagedError

_DOUBTS = 3


class Doubts:
    """Counts what a view lacks that may have come or gone since; after so many reads in a row it is damage."""

    def __init__(self) -> None:
        self._left = _DOUBTS

    def take(self) -> bool:
        """Counts one more; returns False if there were enough."""
        self._left -= 1
        return self._left >= 0

    def add(self, key: str, what: str) -> None:
        """Counts one more; raises DamagedError if there were enough."""
        if not self.take():
            raise DamagedError(key, what)


class Bodies:
    """Makes the bodies of answers to one reader's questions.

    Its methods return None if the view has to be read again, and raise DamagedError and what the client raises.
    """

    def __init__(
        self,
        learning: Learning,
        projects: KnownProjects,
        memory: NodeMemory,
        key_of_user: Callable[[str], bytes],
    ) -> None:
        self._learning = learning
        self._projects = projects
        self._memory = memory
        self._key_of_user = key_of_user

    def held(self, question: Question, known: Known, plan: Plan) -> Held | None:
        """Returns the nodes of a plan, if all are remembered as they were when the project was last read."""
        settled, names = known.settled, known.names
        if (
            question.user_id is not None
            or settled is None
            or settled.stamp.live != plan.live
            or settled.shape_id != plan.shape.shape_id
            or settled.names_id != names.names_id
        ):
            return None
        nodes = self._memory.held(plan.asked.keys, names.users, settled.stamp)
        return None if nodes is None else Held(settled, plan.asked, names, names.users, nodes)

    def of_held(self, known: Known, held: Held, look: Look) -> bytes | None:
        """Returns the body that is made of nodes that are held, if by this look they hold."""
        return held.body(known, look)

    async def of(self, question: Question, known: Known, plan: Plan, view: View, doubts: Doubts) -> bytes | None:
        """Returns the body for a view whose nodes are of the plan's shape, which the view's meta names."""
        if view.meta is None:
            return await self._of_nothing(question, view, doubts)
        if question.user_id is not None:
            return await self._of_user(question.project_id, question.user_id, view, view.meta, doubts)
        were_known = known.names.names_id == view.meta.names_id
        names = await self.names(question.project_id, known, view, view.meta, doubts)
        if names is None:
            return None
        stamp = known.settle(Settled(view.look.stamp, plan.shape.shape_id, view.meta.names_id))
        try:
            nodes = self._memory.nodes(plan.asked.keys, view.nodes, names.users, stamp)
            return body_of(plan.asked, nodes, names)
        except DamagedError:
            names.names_id = b""  # they may have been read when `t` was damaged
            if were_known and doubts.take():
                return None
            raise

    async def _of_nothing(self, question: Question, view: View, doubts: Doubts) -> bytes | None:
        is_nothing = await self.is_nothing(question.project_id, view, doubts)
        return _nothing(question.user_id) if is_nothing else None

    async def is_nothing(self, project_id: str, view: View, doubts: Doubts) -> bool:
        """Tells of a view without a meta that there is no project; if it does not, the view has to be read again."""
        remains = await self._learning.remains(project_id, view.asked.generation)
        if remains is not None:
            doubts.add(remains, "is not there, or no string")
        return remains is None

    async def _of_user(self, project_id: str, user_id: str, view: View, meta: Meta, doubts: Doubts) -> bytes | None:
        key = self._key_of_user(user_id)
        sums = sum_user(key, view.asked.cover, view.asked.interval, view.nodes)
        if not sums.jobs.any():
            return sub_user_body(sums)
        is_user = await self._learning.is_user(project_id, view.asked.generation, user_id, meta.names_id)
        if is_user is None:
            doubts.add("u", "lacks a user who has jobs")
            return None
        return sub_user_body(sums) if is_user else _nothing(user_id)

    async def learn_shape(self, project_id: str, known: Known, generation: int) -> None:
        """Fetches the shape that a project has now, and makes it what is known."""
        known.shape = await self._learning.shape(project_id, generation)
        self._projects.weigh(project_id)

    async def names(self, project_id: str, known: Known, view: View, meta: Meta, doubts: Doubts) -> Names | None:
        """Returns a view's names; some may be newer where renaming goes on."""
        known.wants_namings = meta.names_id != known.names.names_id
        if not known.wants_namings:
            return known.names
        if view.namings is None:
            return None
        generation = view.asked.generation
        namings = parsed(f"{project_prefix(project_id, generation)}t", parse_namings, view.namings)
        names = await self._learning.names(project_id, generation, known, namings)
        if not names.lacking(namings):
            names.names_id = meta.names_id
        elif doubts.take():
            return None
        self._projects.weigh(project_id)
        return names


def _nothing(user_id: str | None) -> bytes:
    """Returns the body of an answer without jobs."""
    if user_id is None:
        return administrator_body(_no_sums(0), Names())
    return sub_user_body(_no_sums(1))


def _no_sums(users: int) -> Sums:
    return Sums(np.zeros((STATUSES, users), np.int64), np.zeros(users, np.int64), [0] * (STATUSES + 1))
