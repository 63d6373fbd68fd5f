"""Questions that share a look at a project."""

import asyncio
from typing import Any, cast

from service.store.read.joined_looks import JoinedLooks
from service.store.read.shared_read import SharedRead
from service.store.read.view import View

VIEW = cast("View", object())


async def test_each_hears_whatever_another_raises() -> None:
    """A fault of one question keeps none that shares its look from its answer; it is told of."""
    faults: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, fault: faults.append(fault["exception"]))

    async def read(*_: object) -> View:
        return VIEW

    looks = JoinedLooks(cast("SharedRead", None), read)
    heard = asyncio.Event()
    fault = RuntimeError("a fault")

    def fail(*_: object) -> None:
        raise fault

    looks.tell("p", 0, fail)
    looks.tell("p", 0, lambda view, error: heard.set() if (view, error) == (VIEW, None) else None)
    assert await asyncio.wait_for(looks.join("p", 0), 5) is VIEW
    await asyncio.wait_for(heard.wait(), 5)
    assert faults == [fault]
