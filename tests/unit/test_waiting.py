"""Waiting ends when it is time to stop, and cancels what it waited for."""

import asyncio

import pytest

from consumers.waiting import pause, unless_set
from service.runtime.tasks import cancel


async def test_work_that_ends_gives_its_result() -> None:
    """Also if its result is an error."""

    async def fail() -> None:
        raise ValueError("no")

    event = asyncio.Event()
    assert await unless_set(event, asyncio.sleep(0, "done")) == "done"
    with pytest.raises(ValueError, match="no"):
        await unless_set(event, fail())


async def test_work_is_cancelled_when_it_is_time_to_stop() -> None:
    """It has ended, whatever it does at its end, when the wait ends."""
    event, ended = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.set()

    asyncio.get_running_loop().call_soon(event.set)
    await unless_set(event, hang())
    assert ended.is_set()


async def test_a_pause_ends_early_when_it_is_time_to_stop() -> None:
    """And otherwise by itself."""
    event = asyncio.Event()
    await pause(event, 0.001)
    event.set()
    await pause(event, 3_600)


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
