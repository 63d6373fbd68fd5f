"""Counts what all projects of a stripe hold together, some projects at a time, while they are written.

Each write adds what it changes to the count as well, if the count has passed its project. So each project is counted
once, however busy the stripe is. A count that was broken off stays right: whoever counts next goes on with it.
"""

import os
from bisect import bisect_right
from typing import Any, NamedTuple

from service.store.audit.reads import Pause
from service.store.errors import FencedError, StoreUnavailableError
from service.store.layout.heads import Head, pack_expected
from service.store.layout.keys import head_key, projects_key
from service.store.layout.totals import Totals, parse_sums
from service.store.redis.outages import reaching
from service.store.redis.script import Script
from service.store.redis.views import Client, DamagedError, Foreign, read_at_once

_PROJECTS_PER_CALL = 500
_ATTEMPTS = 20  # another one who counts ends the count that this one is about to end
_PARTS = ["apply/1_layout.lua", "sweep/fence.lua", "apply/4_tree.lua", "apply/5_rows.lua", "apply/7_totals.lua"]
_COUNT = Script(*_PARTS, "totals/count.lua")
_FINISH = Script(*_PARTS, "totals/finish.lua")


class UncountedError(Exception):
    """A project cannot be counted: it is damaged, or a write of it ended in part."""

    def __init__(self, project_id: str, problem: str) -> None:
        super().__init__(f"project {project_id} cannot be counted: {problem}")


class Counted(NamedTuple):
    """What the projects of a stripe count, and what its totals said at that instant: None if they were not known."""

    counted: Totals
    said: Totals | None


class Counting:
    """Counts one generation of a stripe; `key` is that of its head."""

    def __init__(self, client: Client, stripe: int, head: Head, pause: Pause, key: str | None = None) -> None:
        self._client = client
        self._stripe = stripe
        self._head = head
        self._pause = pause
        self._key = key or head_key(stripe)

    async def count(self, *, is_repair: bool) -> Counted:
        """Counts all projects. Totals that are not known become what was counted, with `is_repair` wrong ones, too.

        Raises UncountedError, FencedError if the head is another by now, DamagedError if the list of projects is none,
        and StoreUnavailableError.
        """
        for _ in range(_ATTEMPTS):
            await self._count_projects()
            word, *reply = await self._run(_FINISH, int(is_repair))
            if word == b"ok":
                return Counted(parse_sums(reply[0]), parse_sums(reply[1]) if reply[1] else None)
        raise StoreUnavailableError(f"the count of stripe {self._stripe} was ended by others {_ATTEMPTS} times")

    async def _count_projects(self) -> None:
        """Counts until no project that is listed is behind the cursor."""
        projects, cursor = await self._projects(), b""
        while True:
            first = bisect_right(projects, cursor)
            some = projects[first : first + _PROJECTS_PER_CALL]
            word, *reply = await self._run(_COUNT, len(projects), cursor, *some)
            if word == b"refused":
                raise UncountedError(reply[0].decode(errors="replace"), reply[1].decode(errors="replace"))
            cursor, is_current = reply
            if not is_current:
                projects = await self._projects()
            if bisect_right(projects, cursor) == len(projects):
                return

    async def _projects(self) -> list[bytes]:
        key = projects_key(self._stripe, self._head.generation)
        [members] = await read_at_once(self._client, [("SMEMBERS", key)])
        await self._pause()
        if isinstance(members, Foreign):
            raise DamagedError(key, "is no set")
        return sorted(members)

    async def _run(self, script: Script, *arguments: bytes | int) -> Any:
        expected = pack_expected(0, self._head.live)
        with reaching(f"counting stripe {self._stripe}"):
            reply = await script.run(self._client, [self._key], 0, os.urandom(8), expected, *arguments)
        await self._pause()
        if reply[0] == b"fenced":
            raise FencedError(self._stripe)
        return reply
