"""Waits that end when the process is to stop, and that leave no task behind."""

import asyncio
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

_CLEANUP_SECONDS = 3.0  # that work may take to end what it has begun, as stopping a Kafka client


async def cancel(tasks: Iterable[asyncio.Future[Any]], again_seconds: float = 0.2) -> None:
    """Cancels tasks until all of them have ended.

    It cancels a task repeatedly: a cancellation can get lost if the response that the task awaits comes at that moment.
    """
    left = set(tasks)
    while left := {task for task in left if not task.done()}:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=again_seconds)


async def unless_set(event: asyncio.Event, work: Awaitable[T]) -> T | None:
    """Awaits the work and returns its result; once the event is set, cancels the work and returns None."""
    working = asyncio.ensure_future(work)
    waiting = asyncio.create_task(event.wait())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        waiting.cancel()
        if not working.done():
            await cancel([working], _CLEANUP_SECONDS)
            await asyncio.gather(working, return_exceptions=True)


async def pause(event: asyncio.Event, seconds: float) -> None:
    """Waits for so many seconds, or until the event is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
