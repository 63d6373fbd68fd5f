"""Reads of one project for an audit: each is one atomic view, of the project as one write left it."""

import struct
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from redis.asyncio import Redis, RedisCluster

from service.store.contract import REDIS_ERRORS, StoreUnavailableError
from service.store.cover import Node
from service.store.foreign import is_foreign
from service.store.layout import (
    Head,
    Meta,
    check_layout,
    head_key,
    job_hash,
    pack_head,
    parse_head,
    parse_meta,
    project_prefix,
    stripe_of,
)
from service.store.reader import node_key

Client = Redis | RedisCluster
Item = TypeVar("Item")

KEYS_PER_READ = 500
_MOST_HASHES = 1 << 24  # of some 400 million records; a meta that says more is damaged, and would be scanned for ever


class GenerationChangedError(Exception):
    """A rebuild has put another generation in the place of the one that is being read."""


class DamagedError(Exception):
    """What is under a key is nothing that the store wrote, and without it nothing of the project can be judged."""

    def __init__(self, key: str, what: str) -> None:
        super().__init__(f"{key} {what}")
        self.key = key
        self.what = what


class Foreign:
    """In the place of a reply: the value under the key is of a type that the store does not keep there."""


FOREIGN: Final = Foreign()


def parse_stored_head(stripe: int, data: bytes | None) -> Head:
    """A head, if it is one from its first byte to its last. Raises DamagedError, LayoutError."""
    try:
        head = check_layout(parse_head(data))
    except struct.error:
        raise DamagedError(head_key(stripe), f"is no head: {len(data or b'')} bytes") from None
    if data is not None and pack_head(head) != data:
        raise DamagedError(head_key(stripe), f"is no head: {len(data)} bytes, {len(head.progress)} partitions")
    return head


async def read_head(client: Client, stripe: int) -> Head:
    """A stripe's head. Raises DamagedError, LayoutError, StoreUnavailableError."""
    try:
        data: Any = await client.get(head_key(stripe))
    except REDIS_ERRORS as error:
        if is_foreign(error):
            raise DamagedError(head_key(stripe), "is no string") from None
        raise StoreUnavailableError(f"reading the head of stripe {stripe}: {error}") from error
    return parse_stored_head(stripe, data)


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
    """One generation of a project.

    Every read raises StoreUnavailableError, LayoutError, GenerationChangedError, and DamagedError if head or meta are
    none.
    """

    def __init__(self, client: Client, project_id: str, generation: int) -> None:
        self.client = client
        self.project_id = project_id
        self.prefix = project_prefix(project_id, generation)
        self.generation = generation
        self._hashes = 1  # as last seen

    @classmethod
    async def open(cls, client: Client, project_id: str) -> "ProjectReads":
        """Reads of the generation that is live. Raises StoreUnavailableError, LayoutError, DamagedError."""
        reads = cls(client, project_id, (await read_head(client, stripe_of(project_id))).generation)
        if "m" in await reads.foreign(["m"]):
            raise DamagedError(f"{reads.prefix}m", "is no string")
        return reads

    async def view(self, names: Sequence[str], commands: Sequence[tuple[Any, ...]] = ()) -> View:
        """The strings of these keys, and replies to read commands (name, key, arguments); keys without the prefix."""
        keys = [head_key(stripe_of(self.project_id)), *[self.prefix + name for name in ("m", *names)]]
        try:
            if commands:
                async with self.client.pipeline(transaction=True) as pipeline:
                    pipeline.execute_command("MGET", *keys)
                    for command, name, *arguments in commands:
                        pipeline.execute_command(command, self.prefix + name, *arguments)
                    strings, *replies = _replies(await pipeline.execute(raise_on_error=False))
            else:
                strings, replies = await self.client.mget(keys), []
        except REDIS_ERRORS as error:
            raise StoreUnavailableError(f"reading project {self.project_id}: {error}") from error
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
        """Which of these keys hold a value of another type, and of which; they may have been read before.

        No write of ours ever makes one, so this needs no view. Raises StoreUnavailableError.
        """
        found: dict[str, str] = {}
        try:
            for some in chunks(names):
                keys = [self.prefix + name for name in some]
                if len(keys) > 1 and not await self.client.exists(*keys):
                    continue
                async with self.client.pipeline(transaction=True) as pipeline:
                    for key in keys:
                        pipeline.execute_command("TYPE", key)
                    types = [bytes(each).decode() for each in await pipeline.execute()]
                found |= {name: each for name, each in zip(some, types, strict=True) if each not in {"none", kind}}
        except REDIS_ERRORS as error:
            raise StoreUnavailableError(f"reading project {self.project_id}: {error}") from error
        return found

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
                whole = [(some, values) for some, values in found if values is not FOREIGN]
                pairs = [pair for some, values in whole for pair in zip(some, values, strict=True)]
                return view, {job: record for job, record in pairs if record is not None}
            self._hashes = meta.hashes


def _replies(replies: list[Any]) -> list[Any]:
    """The replies of a transaction; raises the first that is an error, but for those about a value's type."""
    for reply in replies:
        if isinstance(reply, BaseException) and not is_foreign(reply):
            raise reply
    return [FOREIGN if isinstance(reply, BaseException) else reply for reply in replies]
