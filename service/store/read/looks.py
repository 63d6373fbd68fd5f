"""Looks at projects for one reader: what Redis holds of them now, and how their stripes stood when last seen."""

from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis, RedisCluster

from service.store.layout.heads import Live
from service.store.layout.keys import STRIPES, stripe_of
from service.store.read.joined_looks import Hear, JoinedLooks
from service.store.read.shared_read import SharedRead
from service.store.read.view import Asked, Look, Mget, View, read_view


class Looks:
    """Reads views of projects, which raises as `read_view` says. No as-of is later than the present of `now_ms`."""

    def __init__(self, client: Redis | RedisCluster, now_ms: Callable[[], int]) -> None:
        self.shared = SharedRead(client)
        self._client = client
        self._now_ms = now_ms
        self._joined = JoinedLooks(self.shared, self._read)
        self._live = [Live()] * STRIPES

    def live_of(self, project_id: str) -> Live:
        """Returns the generation and the horizon of a project's stripe, as last seen."""
        return self._live[stripe_of(project_id)]

    def generation_of(self, stripe: int) -> int:
        """Returns the generation of a stripe, as last seen."""
        return self._live[stripe].generation

    def as_of_ms(self, look: Look) -> int:
        """Returns the as-of of a look, at most the present."""
        return min(look.as_of_ms, self._now_ms())

    async def at(self, project_id: str, asked: Asked) -> View:
        """Returns a view, by an `MGET` that other questions share."""
        return await self._read(self.shared.mget, project_id, asked)

    async def alone(self, project_id: str, asked: Asked) -> View:
        """Returns a view, by an `MGET` of its own: no other question waits behind it."""
        return await self._read(self._mget, project_id, asked)

    async def joined(self, project_id: str) -> View:
        """Returns a view of head and meta, which other questions share that came before it was asked for."""
        return await self._joined.join(project_id, self.live_of(project_id).generation)

    def tell(self, project_id: str, hear: Hear) -> None:
        """Calls `hear` once, later, with such a view, or with what reading it raises."""
        self._joined.tell(project_id, self.live_of(project_id).generation, hear)

    async def _read(self, mget: Mget, project_id: str, asked: Asked) -> View:
        view = await read_view(mget, project_id, asked)
        self._live[stripe_of(project_id)] = view.look.head.live
        return view

    async def _mget(self, _tag: str, keys: list[str]) -> list[Any]:
        strings: list[Any] = await self._client.mget(keys)
        return strings
