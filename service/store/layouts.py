"""Takes a store from one layout version to another and back, stripe by stripe, while consumers and the API go on.

Layout 4 is layout 3 and totals. A stripe gets its new version in one script, with a count of its totals that has just
begun. The count goes on while events come in. Broken off at whatever instant, all of it is done again, or gone on with.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from service.store.audit.counting import Counting, UncountedError
from service.store.audit.reads import Pause
from service.store.errors import FencedError, StoreUnavailableError
from service.store.layout.heads import Head, pack_expected
from service.store.layout.keys import STRIPES, building_head_key, head_key, totals_key
from service.store.layout.totals import parse_totals
from service.store.redis.outages import reaching
from service.store.redis.script import Script
from service.store.redis.views import Client, DamagedError, parse_stored_head, read_at_once

_ATTEMPTS = 5  # a rebuild that swaps generations changes a head once
_PARTS = ["apply/1_layout.lua", "sweep/fence.lua", "apply/7_totals.lua"]


@dataclass(slots=True)
class Converted:
    """The result of a conversion: stripes, the number of others, and why some are not done.

    `changed_stripes` have another layout version than before; of `unwritten` no consumer has made a head yet.
    `problems` has by stripe why it is damaged, or its totals cannot be counted.
    """

    changed_stripes: set[int] = field(default_factory=set)
    unwritten: int = 0
    problems: dict[int, str] = field(default_factory=dict)

    @property
    def changed(self) -> int:
        """Returns how many stripes have another layout version than before."""
        return len(self.changed_stripes)


class Layouts:
    """Converts a store, with the generation that a rebuild may be making. `pause` is awaited after each call."""

    def __init__(self, client: Client, pause: Pause) -> None:
        self._client = client
        self._pause = pause
        self._raise = Script(*_PARTS, "totals/raise.lua")
        self._lower = Script(*_PARTS, "totals/lower.lua")

    async def upgrade(self, advance: Callable[[int], None]) -> Converted:
        """Gives each stripe the newest layout, and counts its totals if they are not known; `advance` hears of each.

        Raises StoreUnavailableError, LayoutError.
        """
        return await self._convert(self._raise, advance, counts=True)

    async def downgrade(self, advance: Callable[[int], None]) -> Converted:
        """Takes each stripe back to the layout before. Raises StoreUnavailableError, LayoutError."""
        return await self._convert(self._lower, advance, counts=False)

    async def _convert(self, script: Script, advance: Callable[[int], None], *, counts: bool) -> Converted:
        converted = Converted()
        for stripe in range(STRIPES):
            for attempts_left in reversed(range(_ATTEMPTS)):
                try:
                    await self._convert_stripe(stripe, script, converted, counts=counts)
                    break
                except FencedError as error:
                    if not attempts_left:
                        raise StoreUnavailableError(f"the head of stripe {stripe} changed again and again") from error
                except (DamagedError, UncountedError) as error:
                    converted.problems[stripe] = str(error)
                    break
            advance(1)
        return converted

    async def _convert_stripe(self, stripe: int, script: Script, converted: Converted, *, counts: bool) -> None:
        live = await self._read_head(head_key(stripe), stripe)
        if live is None:
            converted.unwritten += 1
            return
        await self._convert_head(stripe, head_key(stripe), live, script, converted)
        if counts:
            await self._count(stripe, head_key(stripe), live)
        key = building_head_key(stripe, live.generation + 1)
        building = await self._read_head(key, stripe)
        if building is not None and building.generation == live.generation + 1:
            await self._convert_head(stripe, key, building, script, converted)
            if counts:
                # a rebuild stops at such a project, and no `verify --repair` comes there; what goes live is counted
                with suppress(UncountedError):
                    await self._count(stripe, key, building)
        now = await self._read_head(head_key(stripe), stripe)
        if now is None or now.generation != live.generation:  # what was being built is live, perhaps unconverted
            raise FencedError(stripe)

    async def _convert_head(self, stripe: int, key: str, head: Head, script: Script, converted: Converted) -> None:
        """Converts the generation with this head. Raises FencedError if it is another one by now."""
        expected = pack_expected(0, head.live)
        with reaching(f"converting stripe {stripe}"):
            word, *reply = await script.run(self._client, [key], 0, os.urandom(8), expected)
        await self._pause()
        if word == b"fenced":
            raise FencedError(stripe)
        if reply[0]:
            converted.changed_stripes.add(stripe)

    async def _count(self, stripe: int, key: str, head: Head) -> None:
        """Counts the totals of the generation with this head, if they are not known. Raises what Counting raises."""
        if not await self._has_totals(stripe, head.generation):
            await Counting(self._client, stripe, head, self._pause, key).count(is_repair=False)

    async def _has_totals(self, stripe: int, generation: int) -> bool:
        [data] = await read_at_once(self._client, [("GET", totals_key(stripe, generation))])
        return isinstance(data, bytes) and parse_totals(data).totals is not None

    async def _read_head(self, key: str, stripe: int) -> Head | None:
        [data] = await read_at_once(self._client, [("GET", key)])
        return None if data is None else parse_stored_head(stripe, data)
