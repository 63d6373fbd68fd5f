"""Lets work be done one at a time, project by project: each has a line of its own, and the lines take turns."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class ProjectTurns:
    """Turns of projects: whoever waits has at most one turn of each other project before its own line moves on.

    In one line for all, the many who ask for one project would be before those who ask for another.
    """

    def __init__(self) -> None:
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}  # the first has the next turn
        self._is_taken = False

    @asynccontextmanager
    async def of(self, project_id: str) -> AsyncIterator[None]:
        """Waits for a turn of that project, and gives it back in the end."""
        await self._take(project_id)
        try:
            yield
        finally:
            self._give_back()

    async def _take(self, project_id: str) -> None:
        if not self._is_taken:
            self._is_taken = True
            return
        turn = asyncio.get_running_loop().create_future()
        self._lines.setdefault(project_id, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the turn came as the question was cancelled
                self._give_back()
            raise

    def _give_back(self) -> None:
        while self._lines:
            project_id = next(iter(self._lines))
            line = self._lines.pop(project_id)
            turn = line.popleft()
            if line:
                self._lines[project_id] = line  # behind all others
            if not turn.cancelled():
                turn.set_result(None)
                return
        self._is_taken = False
