"""Lets all questions of a project that come at the same time share one look at how the project stands."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from service.store.read.shared_read import SharedRead
from service.store.read.view import Asked, Mget, View

Read: TypeAlias = Callable[[Mget, str, Asked], Awaitable[View]]
"""Makes a view of a project of what an MGET returns."""
Hear: TypeAlias = Callable[[View | None, Exception | None], None]
"""Hears of a look, or of the error that it has ended with."""
_Name: TypeAlias = tuple[str, int]


class JoinedLooks:
    """Looks at head, claims and meta of projects. Redis is asked for a look after all questions that share it came.

    So it says to each of them what was written before it, as a look of its own would.
    """

    def __init__(self, shared: SharedRead, read: Read) -> None:
        self._shared = shared
        self._read = read
        self._joining: dict[_Name, list[Hear]] = {}
        self._looking: set[asyncio.Task[None]] = set()

    async def join(self, project_id: str, generation: int) -> View:
        """Returns a view without nodes, of this generation of a project. Raises what `read` raises."""
        future: asyncio.Future[View] = asyncio.get_running_loop().create_future()

        def hear(view: View | None, error: Exception | None) -> None:
            if future.done():  # the question has been cancelled
                return
            if view is not None:
                future.set_result(view)
            elif error is not None:
                future.set_exception(error)

        self.tell(project_id, generation, hear)
        return await future

    def tell(self, project_id: str, generation: int, hear: Hear) -> None:
        """Calls `hear` once, later, with such a view, or with what `read` raises."""
        name = project_id, generation
        joined = self._joining.get(name)
        if joined is None:
            joined = self._joining[name] = []
            looking = asyncio.create_task(self._look(name, joined))
            self._looking.add(looking)
            looking.add_done_callback(self._looking.discard)
        joined.append(hear)

    async def _look(self, name: _Name, joined: list[Hear]) -> None:
        def close() -> None:
            if self._joining.get(name) is joined:
                del self._joining[name]

        async def mget(tag: str, keys: list[str]) -> list[Any]:
            return await self._shared.mget(tag, keys, close)

        project_id, generation = name
        view: View | None = None
        failed: Exception | None = None
        try:
            view = await self._read(mget, project_id, Asked(generation))
        except Exception as error:  # noqa: BLE001 - each question raises it, whatever it is
            failed = error
        finally:
            close()
        loop = asyncio.get_running_loop()
        for hear in joined:
            loop.call_soon(hear, view, failed)  # each by itself: what one raises keeps no other from hearing
