"""What is asked about a project that is not there is asked at once: a slow Redis takes its time for each question."""

import asyncio
from typing import Any

from service.store.layout.projects import user_key
from service.store.read.learning import Learning


class Slow:
    """A client that answers nothing before so many commands wait."""

    def __init__(self, commands: int) -> None:
        self._barrier = asyncio.Barrier(commands)

    async def get(self, _: str) -> None:
        """No key is there."""
        await self._barrier.wait()

    async def hgetall(self, _: str) -> dict[bytes, bytes]:
        """Nor any hash."""
        await self._barrier.wait()
        return {}


async def test_a_project_that_is_not_there_takes_one_wait() -> None:
    """Its meta, shape, names and users, and the head."""
    client: Any = Slow(5)
    async with asyncio.timeout(5):
        assert await Learning(client, user_key, 10_000).remains("project", 1) is None
