"""Ends tasks, and shares the work of one task among several callers."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


async def cancel(tasks: Iterable[asyncio.Future[Any]], again_seconds: float = 0.2) -> None:
    """Cancels tasks until all of them have ended.

    It cancels a task repeatedly: a cancellation can get lost if the response that the task awaits comes at that moment.
    """
    left = set(tasks)
    while left := {task for task in left if not task.done()}:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=again_seconds)


async def side_by_side(*work: Awaitable[Any]) -> list[Any]:
    """Returns the results of all work, done at the same time; raises what the first that fails raises.

    None of it goes on then, or when the caller is cancelled: `asyncio.gather` alone would leave the rest under way.
    """
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        await cancel(tasks)


class SharedTask(Generic[T]):
    """Does a piece of work for all callers that need it meanwhile. It goes on when a caller is cancelled."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._work = work
        self._task: asyncio.Task[T] | None = None

    @property
    def is_running(self) -> bool:
        """Returns whether the work is under way."""
        return self._task is not None and not self._task.done()

    def begin(self) -> asyncio.Task[T]:
        """Begins the work unless it is under way; returns its task."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
            self._task.add_done_callback(_look_at)
        return self._task

    async def join(self) -> T:
        """Begins the work unless it is under way, and awaits its result. Raises what the work raises."""
        return await asyncio.shield(self.begin())

    async def close(self) -> None:
        """Cancels the work that is under way, if any, and awaits its end."""
        if self._task is not None:
            await cancel([self._task])


def _look_at(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # every caller may be gone: asyncio would log that nobody retrieved the exception
