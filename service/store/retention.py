"""Sweeps: takes the jobs that start before the horizon out of the store, a few at a time.

No answer counts these jobs any more: readers read the horizon from the head. A sweep may be repeated or broken off, and
may run beside other sweeps and beside consumers that write.
"""

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import islice
from struct import Struct
from typing import Any

from redis.asyncio import Redis, RedisCluster

from service.store.errors import FencedError
from service.store.layout.heads import LAYOUT_VERSION, Head, pack_expected
from service.store.layout.keys import head_key, project_prefix, projects_key, swept_key
from service.store.layout.projects import pack_shape, parse_meta, parse_shape
from service.store.pruning import find_groups, without
from service.store.read.node_checks import parsed
from service.store.redis.outages import reaching
from service.store.redis.script import Script
from service.store.redis.views import FOREIGN, DamagedError, read_at_once, read_head

_HASHES_PER_CALL = 16  # some 400 records: a call blocks Redis for some milliseconds if all of them go
_GROUPS_PER_CALL = 50  # some 400 nodes
_ATTEMPTS = 20  # a shape changes only when leaves split; nodes that are left are for the next sweep

_TREE = ["apply/4_tree.lua", "apply/5_rows.lua", "apply/6_split.lua", "apply/7_records.lua", "apply/7_totals.lua"]
_FENCE = ["apply/1_layout.lua", "sweep/fence.lua"]
_FLAGS = "#!lua flags=allow-oom"  # a sweep frees memory, so it may run also where memory is used up
_PROJECT = [*_FENCE, *_TREE, "sweep/project.lua"]
_HASHES = Struct("<II")

Pause = Callable[[], Awaitable[None]]
"""A sweep awaits it after each call, so that Redis and this process serve others in between."""


@dataclass(slots=True)
class Swept:
    """The result of a stripe's sweep: the number of records taken out, and by project why it was left as it is."""

    records: int = 0
    refused: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Turn:
    """A stripe that is being swept, and the head that it had when the sweep began."""

    stripe: int
    head: Head
    pause: Pause

    @property
    def horizon_ms(self) -> int:
        return self.head.live.horizon_ms


class Sweeper:
    """Sweeps stripes of the store: takes out jobs before the horizon and the nodes that are then empty."""

    def __init__(self, client: Redis | RedisCluster) -> None:
        self._client = client
        self._sweep = Script(*_PROJECT, "sweep/sweep.lua", flags=_FLAGS)
        self._prune = Script(*_PROJECT, "sweep/prune.lua", flags=_FLAGS)
        self._done = Script(*_FENCE, "sweep/done.lua", flags=_FLAGS)

    async def sweep(self, stripe: int, pause: Pause) -> Swept | None:
        """Sweeps a stripe up to its horizon; returns None if that has been done. Consumers await it.

        A project that is damaged or marked is left as it is. Raises DamagedError if the head or the list of projects is
        damaged, StoreUnavailableError, LayoutError, and FencedError if another generation became live meanwhile.
        """
        with reaching(f"sweeping stripe {stripe}"):
            turn = _Turn(stripe, await read_head(self._client, stripe), pause)
            [done_ms] = await read_at_once(self._client, [("GET", swept_key(stripe, turn.head.generation))])
            is_known = isinstance(done_ms, bytes) and done_ms.isdigit()  # if not, the stripe is swept once more
            if (int(done_ms) if is_known else 0) >= turn.horizon_ms:
                return None
            swept = Swept()
            list_key = projects_key(stripe, turn.head.generation)
            [projects] = await read_at_once(self._client, [("SMEMBERS", list_key)])
            if projects is FOREIGN:
                raise DamagedError(list_key, "is no set")
            for project_id in sorted(project.decode(errors="replace") for project in projects):
                try:
                    await self._sweep_project(turn, project_id, swept)
                except DamagedError as error:
                    swept.refused[project_id] = str(error)
            await self._run(turn, self._done)
        return swept

    async def _sweep_project(self, turn: _Turn, project_id: str, swept: Swept) -> None:
        first, hashes = 0, 1
        while first < hashes:  # record hashes that are added meanwhile have the greatest numbers, and come last
            word, *reply = await self._run(turn, self._sweep, project_id, _HASHES.pack(first, first + _HASHES_PER_CALL))
            if word == b"refused":
                swept.refused[project_id] = reply[0].decode()
                return
            swept.records += reply[0]
            first, hashes = first + _HASHES_PER_CALL, reply[1]
        for _ in range(_ATTEMPTS):
            if await self._prune_project(turn, project_id):
                return

    async def _prune_project(self, turn: _Turn, project_id: str) -> bool:
        """Deletes the nodes that hold nothing any more; returns False if the shape changed meanwhile."""
        prefix = project_prefix(project_id, turn.head.generation)
        keys = f"{prefix}m", f"{prefix}s"
        replies: Any = await self._client.mget(keys)
        if not replies[0]:
            return True
        shape_id = parsed(keys[0], parse_meta, replies[0]).shape_id
        entries = parsed(keys[1], parse_shape, replies[1] or b"")
        groups = find_groups(entries, turn.horizon_ms)
        while piece := list(islice(groups, _GROUPS_PER_CALL)):
            word = b"full"
            while word == b"full":
                nodes = {node for group in piece for node in group}
                left = without(entries, nodes)
                names = [f"{level}:{index}" for level, index in nodes]
                word, *reply = await self._run(turn, self._prune, project_id, shape_id, pack_shape(left), *names)
                full = {name.decode() for name in reply} if word == b"full" else set()
                piece = [group for group in piece if not any(f"{level}:{index}" in full for level, index in group)]
            if word == b"changed":
                return False
            shape_id, entries = reply[0], left
        return True

    async def _run(self, turn: _Turn, script: Script, *arguments: bytes | str) -> Any:
        keys, expected = [head_key(turn.stripe)], pack_expected(0, turn.head.live)
        reply = await script.run(self._client, keys, LAYOUT_VERSION, os.urandom(8), expected, *arguments)
        await turn.pause()
        if reply[0] == b"fenced":
            raise FencedError(turn.stripe)
        return reply
