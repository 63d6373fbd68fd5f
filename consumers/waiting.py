"""Waiting that ends when the process is to stop."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def unless_set(event: asyncio.Event, work: Awaitable[T], grace_seconds: float = 0.0) -> T | None:
    """What the work gives; None as soon as the event is set, with the work ended or, after the grace, cancelled."""
    working = asyncio.ensure_future(work)
    waiting = asyncio.create_task(event.wait())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        waiting.cancel()
        if not working.done():
            if grace_seconds:
                await asyncio.wait({working}, timeout=grace_seconds)
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


async def pause(event: asyncio.Event, seconds: float) -> None:
    """Waits so long, or until the event is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
