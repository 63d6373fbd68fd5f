"""Watches the server of the store: whether it may evict keys, and what its time is."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from service.store.errors import StoreUnavailableError
from service.store.redis.clock import StoreClock
from service.store.redis.eviction import check_eviction
from service.store.redis.views import Client

Memories = Sequence[Mapping[str, Any]]
"""What INFO says of the memory of each primary: nothing where it is not known."""
NoteMemory = Callable[[Memories], None]


@dataclass(frozen=True, slots=True)
class StoreWatch:
    """Watches the server through a writer's client, and sets the store's clock by it.

    `note_memory` hears of the server's memory at each look.
    """

    client: Client
    clock: StoreClock
    look_seconds: float = 10.0
    note_memory: NoteMemory = lambda _: None

    async def look(self) -> None:
        """Checks the server and measures its clock now. Raises EvictionError, StoreUnavailableError."""
        memories: Memories = ()
        try:
            memories = await check_eviction(self.client)
        finally:
            self.note_memory(memories)
        await self.clock.measure()

    async def run(self) -> None:
        """Looks at the server again and again until cancelled; a Consumer runs it. Raises EvictionError.

        It ignores a server that does not answer, as the writes notice that.
        """
        while True:
            await asyncio.sleep(self.look_seconds)
            with suppress(StoreUnavailableError):
                await self.look()
