"""Waiting that ends when the process is to stop, with nothing left of what was waited for."""

import asyncio
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

_CANCEL_SECONDS = 0.2


async def cancel(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancels tasks until all have ended: one cancellation may get lost in a response that comes just then."""
    left = set(tasks)
    while left := {task for task in left if not task.done()}:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=_CANCEL_SECONDS)


async def unless_set(event: asyncio.Event, work: Awaitable[T]) -> T | None:
    """Returns what the work gives; None as soon as the event is set, with the work cancelled."""
    working = asyncio.ensure_future(work)
    waiting = asyncio.create_task(event.wait())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        waiting.cancel()
        if not working.done():
            await cancel([working])
            await asyncio.gather(working, return_exceptions=True)


async def pause(event: asyncio.Event, seconds: float) -> None:
    """Waits so long, or until the event is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
