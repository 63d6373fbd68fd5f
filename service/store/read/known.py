"""What a reader remembers of projects between questions: shapes, and the names of users."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from service.store.layout.projects import SHAPE_ENTRY_BYTES
from service.store.layout.tree import Shape
from service.store.read.answer_cache import Stamp
from service.store.read.names import Names
from service.store.read.series_levels import Levels

QUESTION_SECONDS = 1.0  # that a question waits for an answer of Redis
_PROJECT_BYTES = 2_200  # that a project takes beside its shape and its names
_NODE_BYTES = 200  # that a node of a shape takes: as a member of sets, and as it is packed


@dataclass(frozen=True)
class KnownShape:
    """A project's shape and its shape id; `packed` is the shape as it is stored."""

    shape_id: bytes
    shape: Shape
    packed: bytes = b""

    @property
    def size_bytes(self) -> int:
        """Returns about how many bytes this takes."""
        return len(self.packed) // SHAPE_ENTRY_BYTES * _NODE_BYTES

    @cached_property
    def levels(self) -> Levels:
        """Returns the shape as series use it."""
        return Levels.of(self.packed)


class Settled(NamedTuple):
    """What a project was when it was last read: its stamp, and the shape id and the names id that it then had."""

    stamp: Stamp
    shape_id: bytes
    names_id: bytes


@dataclass(slots=True)
class Known:
    """What a reader remembers of one project. Reads overlap, so its fields may change during every await."""

    shape: KnownShape = field(default_factory=lambda: KnownShape(b"", Shape()))
    names: Names = field(default_factory=Names)
    wants_namings: bool = True  # whether the last look saw another names id: the next read then asks for `t`, too
    settled: Settled | None = None  # until a look has seen another stamp
    fetching_names: asyncio.Lock = field(default_factory=asyncio.Lock)
    _limits: set[asyncio.Timeout] = field(default_factory=set)  # of the questions that wait for names
    weighed_bytes: int = 0  # as KnownProjects counts it

    @property
    def size_bytes(self) -> int:
        """Returns about how many bytes this takes."""
        return _PROJECT_BYTES + self.shape.size_bytes + self.names.size_bytes

    def settle(self, settled: Settled) -> Stamp:
        """Notes what a read has seen; returns its stamp, the same object for all reads that saw the same in a row."""
        if settled != self.settled:
            self.settled = settled
        return self.settled.stamp

    def unsettle(self, stamp: Stamp) -> None:
        """Notes that the project is not any more as it was with this stamp."""
        if self.settled is not None and self.settled.stamp == stamp:
            self.settled = None

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
    """Keeps what is known of the projects asked for last, up to `max_bytes` bytes; always that of the very last."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._projects: OrderedDict[str, Known] = OrderedDict()
        self.size_bytes = 0

    def of(self, project_id: str) -> Known:
        """Returns what is known of a project, and makes it the project asked for last."""
        known = self._projects.get(project_id)
        if known is None:
            known = self._projects[project_id] = Known()
            self.weigh(project_id)
        self._projects.move_to_end(project_id)
        return known

    def weigh(self, project_id: str) -> None:
        """Counts anew what is known of a project, whose shape or names have changed; forgets others to make room."""
        known = self._projects.get(project_id)
        if known is None:  # forgotten while a question was under way
            return
        self._projects.move_to_end(project_id)
        size_bytes = known.size_bytes
        self.size_bytes += size_bytes - known.weighed_bytes
        known.weighed_bytes = size_bytes
        while self.size_bytes > self._max_bytes and len(self._projects) > 1:
            self.size_bytes -= self._projects.popitem(last=False)[1].weighed_bytes
