"""Generations of keys: the next one is built beside the live one, takes its place in one step, and the old one goes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from redis.asyncio import Redis, RedisCluster

from service.store.deletion import delete_generations
from service.store.layout.heads import LAYOUT_VERSION, NO_TOPIC, Head, Live, pack_head
from service.store.layout.keys import STRIPES, building_head_key, head_key, retired_key
from service.store.redis.outages import reaching
from service.store.redis.script import Script, write
from service.store.write.writer import Applied, StoreWriter, StripeBatch


class GenerationError(Exception):
    """Generations are not as they must be for what was asked."""


@dataclass(frozen=True, slots=True)
class Building:
    """The generation that is, or is next, to be built, and where the store stands with it.

    `live` has the head that is live in each stripe, `heads` that of the new generation, None where there is none (yet,
    or any more).
    """

    generation: int
    live: Sequence[Head]
    heads: Sequence[Head | None]

    @property
    def is_begun(self) -> bool:
        """Whether anything of it may be there."""
        return any(self.heads)

    @property
    def stripes(self) -> list[int]:
        """The stripes in which it is not live yet."""
        return [stripe for stripe, head in enumerate(self.live) if head.generation != self.generation]


class BuildingWriter(StoreWriter):
    """Writes into a generation where it is still being built; where it is live already consumers write."""

    def __init__(self, client: Redis | RedisCluster, building: Building) -> None:
        super().__init__(client, partial(building_head_key, generation=building.generation))
        self._building = building
        self._stripes = set(building.stripes)

    async def read_heads(self) -> list[Head]:
        """As StoreWriter.read_heads, with the live head where the generation is live."""
        heads = await super().read_heads()
        live = self._building.live
        return [head if stripe in self._stripes else live[stripe] for stripe, head in enumerate(heads)]

    async def try_apply(self, partitions: int, batches: Sequence[StripeBatch]) -> Applied:
        """Applies, as StoreWriter.try_apply does, the batches of stripes where the generation is not live."""
        return await super().try_apply(partitions, [batch for batch in batches if batch.stripe in self._stripes])


class Generations:
    """Begins, swaps, discards and deletes generations. Every method raises StoreUnavailableError and LayoutError."""

    def __init__(self, client: Redis | RedisCluster) -> None:
        self.client = client
        self._swap = Script("swap.lua")

    async def look(self) -> Building:
        """What is being built, if anything."""
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
        """Makes the heads of the new generation that are not there yet, to be filled from the topic with that id."""
        head = pack_head(Head(LAYOUT_VERSION, (), Live(building.generation), topic_id=topic_id))
        with reaching("beginning a generation"):
            for stripe in building.stripes:
                await write(self.client, ("SET", building_head_key(stripe, building.generation), head, "NX"))

    async def swap(self, building: Building) -> list[int]:
        """Makes the new generation the live one, in all stripes at once if Redis stands alone, else in each.

        Returns the stripes in which it is not as far as the live one, and therefore not live: it must be read on.
        Raises GenerationError.
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
        """Gives up the new generation; its keys are to be deleted. Raises GenerationError."""
        if len(building.stripes) < STRIPES and building.is_begun:
            raise GenerationError(
                f"generation {building.generation} is live already in some stripes: it cannot be discarded any more"
            )
        with reaching("discarding a generation"):
            for stripe in building.stripes:
                retire = "SADD", retired_key(stripe), building.generation
                await write(self.client, retire, ("DEL", building_head_key(stripe, building.generation)))

    async def delete_retired(self) -> int:
        """Deletes the keys of all retired generations, some at a time; returns how many those were.

        Interrupted, it can begin again.
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
        """Which servers of a cluster have these stripes; keys that went to another one may have been overlooked.

        A stripe whose slot is being moved is an outage.
        """
        owners: list[str] = []
        if isinstance(self.client, RedisCluster):
            for key in (retired_key(stripe) for stripe, generations in retired.items() if generations):
                await self.client.mget([key, f"{key}-"])  # refused while some keys are elsewhere
                node = self.client.get_node_from_key(key)
                owners.append(node.name if node else "")
        return owners


def _swap_keys(stripe: int, generation: int) -> tuple[str, str, str]:
    return head_key(stripe), building_head_key(stripe, generation), retired_key(stripe)
