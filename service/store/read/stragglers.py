"""Asks several shards at once, and does not wait long for those that stay silent while others answer."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from redis.exceptions import TimeoutError as RedisTimeoutError

from service.runtime.tasks import cancel

T = TypeVar("T")

# A probe of an orchestrator waits a second, mostly, and asks two things. Counted from the first answer, so that a
# process that is slow itself does not take its shards for silent.
_PATIENCE_SECONDS = 0.4


async def ask_all(questions: Iterable[Coroutine[Any, Any, T]]) -> list[T | BaseException]:
    """Returns the answers in the order of the questions, with errors in the place of answers."""
    tasks = [asyncio.create_task(each) for each in questions]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait(tasks, timeout=_PATIENCE_SECONDS)
        silent = {task for task in tasks if not task.done()}
    finally:
        await cancel(tasks)
    late = RedisTimeoutError("no answer, while others answer")
    return [late if task in silent or task.cancelled() else task.exception() or task.result() for task in tasks]
