"""A test that takes too long closes what it has opened, and says that it was too slow."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.deadlines import ended_after


async def test_it_closes_what_it_has_opened() -> None:
    """Also what it waits for in other tasks; the failure names the limit, and where the test was."""
    closed: list[str] = []

    @asynccontextmanager
    async def opened(name: str) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await asyncio.sleep(0)
            closed.append(name)

    async def beside() -> None:
        async with opened("beside"):
            await asyncio.Event().wait()

    async def endless() -> None:
        async with opened("outer"), asyncio.TaskGroup() as group:
            group.create_task(beside())
            await asyncio.Event().wait()

    with pytest.raises(AssertionError, match=r"not through within 0\.01 s"):
        await ended_after(endless, 0.01)()
    assert closed == ["beside", "outer"]


async def test_a_cancellation_that_was_swallowed() -> None:
    """The test has failed all the same."""

    async def going_on() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    with pytest.raises(AssertionError, match=r"not through within 0\.01 s"):
        await ended_after(going_on, 0.01)()


async def test_its_own_errors_stay_what_they_are() -> None:
    """Also a TimeoutError that is none of the limit's."""

    async def failing() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await ended_after(failing, 60)()
