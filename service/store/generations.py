"""Begins, swaps, discards and deletes generations: a rebuild makes the next one beside the live one with this module.

docs/store.md, "Generations and the rebuild", describes the steps.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from redis.asyncio import Redis, RedisCluster

from service.store.deletion import delete_generations
from service.store.layout.heads import LAYOUT_VERSION, NO_TOPIC, Head, Live, pack_head
from service.store.layout.keys import STRIPES, building_head_key, head_key, retired_key, totals_key
from service.store.layout.totals import Totals, pack_totals
from service.store.redis.outages import reaching
from service.store.redis.script import Script, write
from service.store.write.writer import Applied, StoreWriter, StripeBatch


class GenerationError(Exception):
    """A generation cannot be swapped or discarded in the state that it is in."""


@dataclass(frozen=True, slots=True)
class Building:
    """The generation that is being built, or that would be the next, and how far it is.

    `live` has the live head of each stripe, `heads` the head of the new generation in each stripe, None where there is
    none yet, or none any more.
    """

    generation: int
    live: Sequence[Head]
    heads: Sequence[Head | None]

    @property
    def is_begun(self) -> bool:
        """Tells whether the new generation has a head in some stripe, and so may have other keys."""
        return any(self.heads)

    @property
    def stripes(self) -> list[int]:
        """Returns the stripes in which the new generation is not live yet."""
        return [stripe for stripe, head in enumerate(self.live) if head.generation != self.generation]


class BuildingWriter(StoreWriter):
    """Writes into a generation in the stripes where it is being built; where it is live already, consumers write."""

    def __init__(self, client: Redis | RedisCluster, building: Building) -> None:
        super().__init__(client, partial(building_head_key, generation=building.generation))
        self._building = building
        self._stripes = set(building.stripes)

    async def read_heads(self) -> list[Head]:
        """Returns heads as StoreWriter.read_heads does; where the generation is live, the live head."""
        heads = await super().read_heads()
        live = self._building.live
        return [head if stripe in self._stripes else live[stripe] for stripe, head in enumerate(heads)]

    async def try_apply(self, partitions: int, batches: Sequence[StripeBatch]) -> Applied:
        """Applies, as StoreWriter.try_apply does, the batches of stripes where the generation is not live."""
        return await super().try_apply(partitions, [batch for batch in batches if batch.stripe in self._stripes])


class Generations:
    """Begins, swaps, discards and deletes generations. Its methods raise StoreUnavailableError and LayoutError."""

    def __init__(self, client: Redis | RedisCluster) -> None:
        self.client = client
        self._begin = Script("begin.lua")
        self._swap = Script("swap.lua")

    async def look(self) -> Building:
        """Returns the generation that is being built, or the next one if none is."""
        live = await StoreWriter(self.client).read_heads()
        newest = max(head.generation for head in live)
        if any(head.generation != newest for head in live):  # a swap may have ended halfway
            building = Building(newest, live, await self._read_heads(newest))
            if building.is_begun:
                return building
        return Building(newest + 1, live, await self._read_heads(newest + 1))

    async def _read_heads(self, generation: int) -> list[Head | None]:
        heads = await StoreWriter(self.client, partial(building_head_key, generation=generation)).read_heads()
        return [head if head.generation == generation else None for head in heads]

    async def begin(self, building: Building, topic_id: bytes = NO_TOPIC) -> None:
        """Makes the missing heads of the new generation; the topic with that id is to be read into it."""
        generation = building.generation
        head = pack_head(Head(LAYOUT_VERSION, (), Live(generation), topic_id=topic_id))
        with reaching("beginning a generation"):
            for stripe in building.stripes:
                if building.heads[stripe] is None:
                    keys = head_key(stripe), building_head_key(stripe, generation), totals_key(stripe, generation)
                    await self._begin.run(self.client, keys, head, pack_totals(Totals()))

    async def swap(self, building: Building) -> list[int]:
        """Makes the new generation the live one: in one call on a single Redis, in one for each stripe on a cluster.

        Returns the stripes in which the new generation is not as far as the live one, and did not become live: more of
        the topic must be read into it. Raises GenerationError.
        """
        stripes = building.stripes
        groups = [[stripe] for stripe in stripes] if isinstance(self.client, RedisCluster) else [stripes]
        behind: list[int] = []
        with reaching("swapping generations"):
            for group in groups:
                keys = [key for stripe in group for key in _swap_keys(stripe, building.generation)]
                reply = await self._swap.run(self.client, keys, LAYOUT_VERSION, building.generation)
                if reply == b"missing":
                    raise GenerationError(f"generation {building.generation} is not there, or is live already")
                if reply == b"topic":
                    raise GenerationError(
                        f"generation {building.generation} is of another topic than what is live; discard it"
                    )
                if reply == b"behind":
                    behind += group
        return behind

    async def discard(self, building: Building) -> None:
        """Retires the new generation; `delete_retired` then deletes its keys. Raises GenerationError."""
        if len(building.stripes) < STRIPES and building.is_begun:
            raise GenerationError(
                f"generation {building.generation} is live already in some stripes: it cannot be discarded any more"
            )
        with reaching("discarding a generation"):
            for stripe in building.stripes:
                retire = "SADD", retired_key(stripe), building.generation
                await write(self.client, retire, ("DEL", building_head_key(stripe, building.generation)))

    async def delete_retired(self) -> int:
        """Deletes the keys of all retired generations, some at a time; returns how many keys it deleted.

        It can be interrupted and called again.
        """
        with reaching("deleting a generation"):
            retired: dict[int, set[int]] = {}
            for stripe in range(STRIPES):
                members: Iterable[Any] = await self.client.smembers(retired_key(stripe))
                retired[stripe] = {int(member) for member in members}
            if not any(retired.values()):
                return 0
            count, owners = 0, None
            while (found := await self._find_owners(retired)) != owners:
                owners = found
                count += await delete_generations(self.client, retired)
            for stripe, generations in retired.items():
                if generations:
                    await write(self.client, ("SREM", retired_key(stripe), *generations))
        return count

    async def _find_owners(self, retired: Mapping[int, Collection[int]]) -> list[str]:
        """Returns which server of a cluster has each of these stripes.

        `delete_retired` repeats its pass until the servers stay the same: it may have overlooked the keys of a slot
        that moved. Raises what the client raises; a slot that is being moved is an outage.
        """
        owners: list[str] = []
        if isinstance(self.client, RedisCluster):
            for key in (retired_key(stripe) for stripe, generations in retired.items() if generations):
                await self.client.mget([key, f"{key}-"])  # refused while some keys of the slot are on another server
                node = self.client.get_node_from_key(key)
                owners.append(node.name if node else "")
        return owners


def _swap_keys(stripe: int, generation: int) -> tuple[str, str, str]:
    return head_key(stripe), building_head_key(stripe, generation), retired_key(stripe)
