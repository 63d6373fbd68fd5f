"""Waits until something has come true that nobody announces."""

import asyncio
from collections.abc import Awaitable, Callable

_POLL_SECONDS = 0.05


async def eventually(
    condition: Callable[[], Awaitable[bool]] | Callable[[], bool],
    what: str,
    within_seconds: float = 30,
    poll_seconds: float = _POLL_SECONDS,
) -> None:
    """Returns once the condition holds; fails, saying what did not come true, when the time is over."""
    try:
        async with asyncio.timeout(within_seconds):
            while True:
                holds = condition()
                if holds if isinstance(holds, bool) else await holds:
                    return
                await asyncio.sleep(poll_seconds)
    except TimeoutError:
        raise AssertionError(f"not so within {within_seconds} s: {what}") from None
