"""Reads of one project for an audit: each is one atomic view, of the project as one write left it."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from redis.asyncio import Redis, RedisCluster

from service.store.contract import REDIS_ERRORS, StoreUnavailableError
from service.store.cover import Node
from service.store.layout import (
    Meta,
    check_layout,
    head_key,
    job_hash,
    parse_head,
    parse_meta,
    project_prefix,
    stripe_of,
)
from service.store.reader import node_key

Client = Redis | RedisCluster
Item = TypeVar("Item")

KEYS_PER_READ = 500


class GenerationChangedError(Exception):
    """A rebuild has put another generation in the place of the one that is being read."""


@dataclass(frozen=True, slots=True)
class View:
    """Strings and replies of one instant; `meta_data` is the meta's string, None where there is no project."""

    meta_data: bytes | None
    strings: list[bytes | None]
    replies: list[Any]
    horizon_ms: int

    @property
    def meta(self) -> Meta | None:
        """The project's meta."""
        return parse_meta(self.meta_data) if self.meta_data else None


def node_name(node: Node) -> str:
    """A node's key without the project's prefix."""
    return node_key("", node)


def place_of(hashed: int, hashes: int) -> int:
    """The number of the hash, of so many, that holds the record of a job with this 32-bit hash."""
    power = 1 << hashes.bit_length() - 1
    number = hashed % (2 * power)
    return number if number < hashes else hashed % power


def chunks(items: Sequence[Item], size: int = KEYS_PER_READ) -> list[Sequence[Item]]:
    """The items in pieces of at most so many."""
    return [items[at : at + size] for at in range(0, len(items), size)]


class ProjectReads:
    """One generation of a project. Every read raises StoreUnavailableError, LayoutError, GenerationChangedError."""

    def __init__(self, client: Client, project_id: str, generation: int) -> None:
        self.client = client
        self.project_id = project_id
        self.prefix = project_prefix(project_id, generation)
        self.generation = generation
        self._hashes = 1  # as last seen

    @classmethod
    async def open(cls, client: Client, project_id: str) -> "ProjectReads":
        """Reads of the generation that is live. Raises StoreUnavailableError, LayoutError."""
        try:
            data: Any = await client.get(head_key(stripe_of(project_id)))
        except REDIS_ERRORS as error:
            raise StoreUnavailableError(f"reading the head of project {project_id}: {error}") from error
        return cls(client, project_id, check_layout(parse_head(data)).generation)

    async def view(self, names: Sequence[str], commands: Sequence[tuple[Any, ...]] = ()) -> View:
        """The strings of these keys, and replies to read commands (name, key, arguments); keys without the prefix."""
        keys = [head_key(stripe_of(self.project_id)), *[self.prefix + name for name in ("m", *names)]]
        try:
            if commands:
                async with self.client.pipeline(transaction=True) as pipeline:
                    pipeline.execute_command("MGET", *keys)
                    for command, name, *arguments in commands:
                        pipeline.execute_command(command, self.prefix + name, *arguments)
                    strings, *replies = await pipeline.execute()
            else:
                strings, replies = await self.client.mget(keys), []
        except REDIS_ERRORS as error:
            raise StoreUnavailableError(f"reading project {self.project_id}: {error}") from error
        head_data, meta_data, *strings = strings
        live = check_layout(parse_head(head_data)).live
        if live.generation != self.generation:
            raise GenerationChangedError
        return View(meta_data, strings, replies, live.horizon_ms)

    async def strings(self, nodes: Sequence[Node]) -> dict[Node, bytes]:
        """The strings of those nodes that are there; each chunk of 500 is a view of its own."""
        found: dict[Node, bytes] = {}
        for some in chunks(nodes):
            view = await self.view([node_name(node) for node in some])
            found |= {node: string for node, string in zip(some, view.strings, strict=True) if string is not None}
        return found

    async def records(self, names: Sequence[str], jobs: Collection[bytes]) -> tuple[View, dict[bytes, bytes]]:
        """The strings of these keys, and the records of those jobs that have one, all of one instant."""
        while True:
            by_hash: dict[int, list[bytes]] = defaultdict(list)
            for job in jobs:
                by_hash[place_of(job_hash(job), self._hashes)].append(job)
            view = await self.view(names, [("HMGET", f"j:{number}", *some) for number, some in by_hash.items()])
            meta = view.meta
            if meta is None or meta.hashes == self._hashes:
                found = zip(by_hash.values(), view.replies, strict=True)
                pairs = [pair for some, values in found for pair in zip(some, values, strict=True)]
                return view, {job: record for job, record in pairs if record is not None}
            self._hashes = meta.hashes
