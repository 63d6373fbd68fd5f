"""Waits that end when the process is to stop, and that leave no task behind."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeVar

from service.runtime.tasks import cancel

T = TypeVar("T")

_CLEANUP_SECONDS = 3.0  # that work may take to end what it has begun, as stopping a Kafka client


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
