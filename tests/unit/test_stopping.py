"""Tasks end when they are to, whatever becomes of one cancellation."""

import asyncio

from consumers.stopping import cancel


async def test_a_lost_cancellation_is_repeated() -> None:
    """A task that goes on after its first cancellation ends with a later one."""
    started, losses = asyncio.Event(), 0

    async def lose_one() -> None:
        nonlocal losses
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            losses += 1
        await asyncio.Event().wait()

    task = asyncio.create_task(lose_one())
    await started.wait()
    async with asyncio.timeout(30):
        await cancel([task])
    assert task.cancelled()
    assert losses == 1
