"""What a reader remembers of projects between questions: their shapes, the names of their users, its last look."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

from service.store.layout.tree import Shape
from service.store.read.names import Names
from service.store.read.view import Look

MAX_PROJECTS = 4_096
MAX_USERS = 500_000  # of all projects together: some 300 bytes each


@dataclass(frozen=True, slots=True)
class KnownShape:
    """A project's shape, named by the write that made it."""

    shape_id: bytes
    shape: Shape


@dataclass(slots=True)
class Known:
    """What is known of a project between reads. Reads overlap, so whoever awaits must look at it again."""

    shape: KnownShape = field(default_factory=lambda: KnownShape(b"", Shape()))
    names: Names = field(default_factory=Names)
    look: Look | None = None
    wants_namings: bool = True  # whether names were others when last looked at: then the next read asks at once
    fetching_names: asyncio.Lock = field(default_factory=asyncio.Lock)


class KnownProjects:
    """The projects asked for last, and the names of so many users of theirs."""

    def __init__(self, max_projects: int = MAX_PROJECTS, max_users: int = MAX_USERS) -> None:
        self._max_projects = max_projects
        self._max_users = max_users
        self._projects: OrderedDict[str, Known] = OrderedDict()

    def of(self, project_id: str) -> Known:
        """Returns what is known of a project, which is then the one asked for last."""
        known = self._projects.get(project_id)
        if known is None:
            known = self._projects[project_id] = Known()
            if len(self._projects) > self._max_projects:
                self._projects.popitem(last=False)
        self._projects.move_to_end(project_id)
        return known

    def forget_names(self) -> None:
        """Forgets names of the projects asked for least recently while there are too many; never those of the last."""
        users = sum(len(known.names) for known in self._projects.values())
        for known in list(self._projects.values())[:-1]:
            if users <= self._max_users:
                return
            users -= len(known.names)
            known.names = Names()
