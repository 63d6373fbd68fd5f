"""A client that lets something happen between two commands of a reader."""

from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import Redis


class Interposed:
    """Passes every command on; `before_hmget` runs before names are fetched, `fetched` counts them call by call."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self.before_hmget: Callable[[], Awaitable[object]] | None = None
        self.fetched: list[int] = []
        self.keys: list[list[str]] = []  # of each MGET

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def mget(self, keys: list[str]) -> Any:
        """Reads strings."""
        self.keys.append(keys)
        return await self._client.mget(keys)

    async def hmget(self, key: str, fields: list[bytes]) -> Any:
        """Reads names, after what was to happen first."""
        if self.before_hmget is not None:
            await self.before_hmget()
        self.fetched.append(len(fields))
        return await self._client.hmget(key, fields)
