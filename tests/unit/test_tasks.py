"""Work done side by side: all results in order, and nothing left under way when some of it fails."""

import asyncio

import pytest

from service.runtime.tasks import side_by_side


async def test_results_come_in_the_order_of_the_work() -> None:
    """Whichever ends first; nothing is a result too."""
    first_ends = asyncio.Event()

    async def first() -> str:
        await first_ends.wait()
        return "first"

    async def second() -> str:
        first_ends.set()
        return "second"

    assert await side_by_side(first(), second()) == ["first", "second"]
    assert await side_by_side() == []


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_nothing_is_left_under_way(is_cancelled: bool) -> None:
    """When some of the work has failed, or the caller was cancelled, all the rest has ended, however long that took."""
    has_begun, ended = asyncio.Event(), []

    async def work() -> None:
        has_begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # its end takes a turn of the loop
            ended.append("work")

    async def failing() -> None:
        await has_begun.wait()
        if not is_cancelled:
            raise ConnectionError("away")
        asker.cancel()
        await asyncio.Event().wait()

    asker = asyncio.create_task(side_by_side(work(), failing()))
    with pytest.raises(asyncio.CancelledError if is_cancelled else ConnectionError):
        await asker
    assert ended == ["work"]
