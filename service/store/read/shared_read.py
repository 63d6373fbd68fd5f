"""Joins reads that come at the same time into one MGET: while one is under way, it collects the keys of the next.

A round trip costs a handler more than the rest of its work. One command is one atomic view for each of its reads.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import TimeoutError as RedisTimeoutError

_MAX_KEYS = 2_000  # with more keys a command would block Redis for too long


class _Waiting(NamedTuple):
    keys: list[str]
    future: asyncio.Future[list[Any]]
    taken: Callable[[], None]


def _nothing() -> None:
    pass


class SharedRead:
    """Reads strings by shared MGETs. On a cluster the keys of a call must lie in one slot; calls of one slot share."""

    def __init__(self, client: Redis | RedisCluster) -> None:
        self._client = client
        self._by_slot = isinstance(client, RedisCluster)
        self._waiting: defaultdict[str, list[_Waiting]] = defaultdict(list)
        self._readers: dict[str, asyncio.Task[None]] = {}

    async def mget(self, tag: str, keys: list[str], taken: Callable[[], None] = _nothing) -> list[Any]:
        """Returns the strings of keys with this hash tag, all of one instant. Raises what the client raises.

        It calls `taken` before Redis is asked.
        """
        group = tag if self._by_slot else ""
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting[group].append(_Waiting(keys, future, taken))
        if group not in self._readers:
            self._readers[group] = asyncio.create_task(self._read(group))
        return await future

    async def _read(self, group: str) -> None:
        try:
            while turn := self._take(group):
                await self._serve(group, turn)
        finally:
            del self._readers[group]

    def _take(self, group: str) -> list[_Waiting]:
        waiting = [each for each in self._waiting[group] if not each.future.done()]  # some may have given up
        count = keys = 0
        while count < len(waiting) and (not count or keys + len(waiting[count].keys) <= _MAX_KEYS):
            keys += len(waiting[count].keys)
            waiting[count].taken()
            count += 1
        self._waiting[group] = waiting[count:]
        if not count:
            del self._waiting[group]
        return waiting[:count]

    async def _serve(self, group: str, turn: list[_Waiting]) -> None:
        try:
            replies = await self._client.mget([key for each in turn for key in each.keys])
        except Exception as error:  # noqa: BLE001 - each waiting read raises it, whatever it is
            # who waits behind a read that got no answer has waited as long, and would wait as long again
            behind = self._waiting.pop(group, []) if isinstance(error, RedisTimeoutError) else []
            for each in (*turn, *behind):
                if not each.future.done():
                    each.future.set_exception(error)
            return
        start = 0
        for keys, future, _ in turn:
            if not future.done():  # the read may have been cancelled
                future.set_result(replies[start : start + len(keys)])
            start += len(keys)
