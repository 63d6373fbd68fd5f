"""Reads of one project for an audit: each is one atomic view, of the project as one write left it."""

import struct
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from service.store.errors import StoreUnavailableError
from service.store.layout.keys import head_key, node_key, project_prefix, stripe_of
from service.store.layout.projects import Meta, parse_meta
from service.store.layout.records import place_of
from service.store.layout.sizes import Kind
from service.store.layout.tree import Node
from service.store.redis.views import FOREIGN, Client, DamagedError, parse_stored_head, read_at_once, read_head

Item = TypeVar("Item")
Result = TypeVar("Result")

KEYS_PER_READ = 500
_ATTEMPTS = 3  # a rebuild changes the generation once
_MOST_HASHES = 1 << 24  # of some 400 million records; a meta that says more is damaged, and would be scanned for ever


Sizes = Counter[Kind]
"""Estimated bytes of memory by kind of key."""

Pause = Callable[[], Awaitable[None]]
"""Awaited after each read of an audit, so that others have their turn."""


async def no_pause() -> None:
    """Goes on at once."""


class GenerationChangedError(Exception):
    """A rebuild has put another generation in the place of the one that is being read."""


@dataclass(frozen=True, slots=True)
class View:
    """Strings and replies of one instant; `meta` and `meta_data`, its string, are None where there is no project.

    A string is None also if a value of another type is there (see ProjectReads.foreign), a reply is then FOREIGN.
    """

    meta: Meta | None
    meta_data: bytes | None
    strings: list[bytes | None]
    replies: list[Any]
    horizon_ms: int


def node_name(node: Node) -> str:
    """Returns a node's key without the project's prefix."""
    return node_key("", node)


def chunks(items: Sequence[Item], size: int = KEYS_PER_READ) -> list[Sequence[Item]]:
    """Returns the items in pieces of at most so many."""
    return [items[at : at + size] for at in range(0, len(items), size)]


class ProjectReads:
    """Reads one generation of a project.

    Every read raises StoreUnavailableError, LayoutError, GenerationChangedError, and DamagedError if head or meta are
    none.
    """

    def __init__(self, client: Client, project_id: str, generation: int, pause: Pause = no_pause) -> None:
        self.client = client
        self._pause = pause
        self.project_id = project_id
        self.prefix = project_prefix(project_id, generation)
        self.generation = generation
        self._hashes = 1  # as last seen
        self.sizes: Sizes = Counter()  # of the keys that an audit has read, as far as it has come

    @classmethod
    async def open(cls, client: Client, project_id: str, pause: Pause = no_pause) -> "ProjectReads":
        """Returns reads of the generation that is live. Raises StoreUnavailableError, LayoutError, DamagedError."""
        reads = cls(client, project_id, (await read_head(client, stripe_of(project_id))).generation, pause)
        if "m" in await reads.foreign(["m"]):
            raise DamagedError(f"{reads.prefix}m", "is no string")
        return reads

    async def view(self, names: Sequence[str], commands: Sequence[tuple[Any, ...]] = ()) -> View:
        """Reads strings, and replies to read commands (name, key, arguments); keys are named without the prefix."""
        keys = [head_key(stripe_of(self.project_id)), *[self.prefix + name for name in ("m", *names)]]
        every = [("MGET", *keys), *((command, self.prefix + name, *rest) for command, name, *rest in commands)]
        strings, *replies = await read_at_once(self.client, every)
        await self._pause()
        head_data, meta_data, *strings = strings
        live = parse_stored_head(stripe_of(self.project_id), head_data).live
        if live.generation != self.generation:
            raise GenerationChangedError
        return View(self._meta(meta_data), meta_data, strings, replies, live.horizon_ms)

    def _meta(self, data: bytes | None) -> Meta | None:
        if data is None:
            return None
        try:
            meta = parse_meta(data)
        except struct.error:
            raise DamagedError(f"{self.prefix}m", f"is no meta: {len(data)} bytes") from None
        if not 0 < meta.hashes <= _MOST_HASHES:
            raise DamagedError(f"{self.prefix}m", f"says {meta.hashes} record hashes")
        return meta

    async def foreign(self, names: Sequence[str], kind: str = "string") -> dict[str, str]:
        """Returns which of these keys hold a value of another type, and of which; they may have been read before.

        No write of ours ever makes one, so this needs no view. Raises StoreUnavailableError.
        """
        found: dict[str, str] = {}
        for some in chunks(names):
            keys = [self.prefix + name for name in some]
            [there] = await read_at_once(self.client, [("EXISTS", *keys)])
            if there:
                types = await read_at_once(self.client, [("TYPE", key) for key in keys])
                kinds = zip(some, (bytes(each).decode() for each in types), strict=True)
                found |= {name: each for name, each in kinds if each not in {"none", kind}}
        return found

    async def strings(self, nodes: Sequence[Node]) -> dict[Node, bytes]:
        """Reads the strings of those nodes that are there; each chunk of 500 is a view of its own."""
        found: dict[Node, bytes] = {}
        for some in chunks(nodes):
            view = await self.view([node_name(node) for node in some])
            found |= {node: string for node, string in zip(some, view.strings, strict=True) if string is not None}
        return found

    async def view_of_hashes(self, names: Sequence[str], commands: Callable[[int], Sequence[tuple[Any, ...]]]) -> View:
        """Reads a view with the commands for the number of record hashes that there are at that instant."""
        while True:
            hashes = self._hashes
            view = await self.view(names, commands(hashes))
            if view.meta is None or view.meta.hashes == hashes:
                return view
            self._hashes = view.meta.hashes

    async def records(self, names: Sequence[str], jobs: Collection[bytes]) -> tuple[View, dict[bytes, bytes]]:
        """Reads the strings of these keys, and the records of those jobs that have one, all of one instant."""
        by_hash: dict[int, list[bytes]] = {}

        def commands(hashes: int) -> list[tuple[Any, ...]]:
            by_hash.clear()
            for job in jobs:
                by_hash.setdefault(place_of(job, hashes), []).append(job)
            return [("HMGET", f"j:{number}", *some) for number, some in by_hash.items()]

        view = await self.view_of_hashes(names, commands)
        found = zip(by_hash.values(), view.replies, strict=True)
        pairs = [pair for some, records in found if records is not FOREIGN for pair in zip(some, records, strict=True)]
        return view, {job: record for job, record in pairs if record is not None}


async def on_live_generation(
    client: Client, project_id: str, work: Callable[[ProjectReads], Awaitable[Result]], pause: Pause = no_pause
) -> Result:
    """Returns what `work` makes of the live generation; it begins anew if a rebuild puts another one in its place.

    Raises StoreUnavailableError if that happens again and again, and what `work` and ProjectReads raise.
    """
    for _ in range(_ATTEMPTS):
        try:
            return await work(await ProjectReads.open(client, project_id, pause))
        except GenerationChangedError:
            continue
    raise StoreUnavailableError(f"the generation of project {project_id} changed {_ATTEMPTS} times while it was read")
