"""What a reader remembers of projects between questions: shapes, the names of users, and its last look at each."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property

from service.store.layout.tree import Shape
from service.store.read.names import Names
from service.store.read.series_levels import Levels
from service.store.read.view import Look

QUESTION_SECONDS = 1.0  # that a question waits for an answer of Redis
MAX_PROJECTS = 4_096
MAX_USERS = 500_000  # of all projects together: some 300 bytes each


@dataclass(frozen=True)
class KnownShape:
    """A project's shape and its shape id; `packed` is the shape as it is stored."""

    shape_id: bytes
    shape: Shape
    packed: bytes = b""

    @cached_property
    def levels(self) -> Levels:
        """Returns the shape as series use it."""
        return Levels.of(self.packed)


@dataclass(slots=True)
class Known:
    """What a reader remembers of one project. Reads overlap, so its fields may change during every await."""

    shape: KnownShape = field(default_factory=lambda: KnownShape(b"", Shape()))
    names: Names = field(default_factory=Names)
    look: Look | None = None
    wants_namings: bool = True  # whether the last look saw another names id: the next read then asks for `t`, too
    fetching_names: asyncio.Lock = field(default_factory=asyncio.Lock)
    _limits: set[asyncio.Timeout] = field(default_factory=set)  # of the questions that wait for names

    @asynccontextmanager
    async def limit(self) -> AsyncIterator[None]:
        """Raises TimeoutError once nothing has been fetched for `QUESTION_SECONDS`, by whichever question."""
        try:
            async with asyncio.timeout(QUESTION_SECONDS) as limit:
                self._limits.add(limit)
                try:
                    yield
                finally:
                    self._limits.discard(limit)
        except TimeoutError as error:
            raise TimeoutError(f"no names within {QUESTION_SECONDS:g} s") from error

    def give_time(self) -> None:
        """Lets all questions of the project that wait for names wait anew: Redis has answered."""
        until = asyncio.get_running_loop().time() + QUESTION_SECONDS
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(until)


class KnownProjects:
    """Keeps what is known of the `max_projects` projects asked for last, with the names of `max_users` users in all."""

    def __init__(self, max_projects: int = MAX_PROJECTS, max_users: int = MAX_USERS) -> None:
        self._max_projects = max_projects
        self._max_users = max_users
        self._projects: OrderedDict[str, Known] = OrderedDict()

    def of(self, project_id: str) -> Known:
        """Returns what is known of a project, and makes it the project asked for last."""
        known = self._projects.get(project_id)
        if known is None:
            known = self._projects[project_id] = Known()
            if len(self._projects) > self._max_projects:
                self._projects.popitem(last=False)
        self._projects.move_to_end(project_id)
        return known

    def forget_names(self) -> None:
        """Forgets the names of whole projects, the one asked for longest ago first, while there are too many names.

        It never forgets those of the project asked for last.
        """
        users = sum(len(known.names) for known in self._projects.values())
        for known in list(self._projects.values())[:-1]:
            if users <= self._max_users:
                return
            users -= len(known.names)
            known.names = Names()
