"""One look at a project: a stripe's head, the project's meta, and the strings of a cover, all of one instant."""

from collections.abc import Awaitable, Callable
from itertools import chain
from typing import Any, NamedTuple

from service.store.errors import StoreUnavailableError
from service.store.layout.heads import Head, as_of_ms
from service.store.layout.keys import claims_key, head_key, node_key, project_prefix, stripe_of, stripe_tag
from service.store.layout.projects import Meta, parse_meta
from service.store.read.answer_cache import Stamp
from service.store.read.cover import Cover
from service.store.read.node_checks import parsed
from service.store.read.node_memory import NodeMemory
from service.store.read.shared_read import SharedRead
from service.store.read.sums import Summing, SummingOne, Sums
from service.store.read.users import Users
from service.store.redis.views import DamagedError, parse_stored_head

Mget = Callable[[str, list[str]], Awaitable[list[Any]]]
"""Returns the strings of keys that have a hash tag, all of one instant; see SharedRead.mget."""


class Asked(NamedTuple):
    """What is asked for beside head and meta: the nodes of a generation that cover an interval, and maybe namings."""

    generation: int
    interval: range = range(0)
    cover: Cover = Cover()
    wants_namings: bool = False


class Look(NamedTuple):
    """What a stripe's head and a project's last write were."""

    head: Head
    as_of_ms: int
    stamp: Stamp


class View(NamedTuple):
    """What a look saw: `meta` is None where there is no project, `namings` where they were not asked for.

    `nodes` are the strings of the cover's nodes, `keys` their keys.
    """

    asked: Asked
    look: Look
    meta: Meta | None
    namings: bytes | None
    keys: list[str]
    nodes: list[bytes | None]

    def sums(self, users: Users, memory: NodeMemory) -> Sums:
        """Returns the sums of all users of the project. Raises DamagedError."""
        summing, (added, taken, cut) = Summing(users, self.asked.interval, memory), self._parts()
        summing.add(self.keys[added], self.nodes[added], 1)
        summing.add(self.keys[taken], self.nodes[taken], -1)
        summing.add_parts(self.asked.cover.cuts, self.keys[cut], self.nodes[cut])
        return summing.result()

    def sums_of(self, user: bytes) -> Sums:
        """Returns the sums of the user with this key alone. Raises DamagedError."""
        summing, (added, taken, cut) = SummingOne(user, self.asked.interval), self._parts()
        summing.add(self.nodes[added], 1)
        summing.add(self.nodes[taken], -1)
        summing.add_parts(self.asked.cover.cuts, self.nodes[cut])
        return summing.result()

    def _parts(self) -> tuple[slice, slice, slice]:
        """Returns where the nodes are that are added whole, those that are taken off whole, and those that are cut."""
        cover = self.asked.cover
        added, cut = sum(len(indexes) for _, indexes in cover.added), len(self.nodes) - len(cover.cuts)
        return slice(0, added), slice(added, cut), slice(cut, None)


async def read_view(mget: Mget, project_id: str, asked: Asked) -> View:
    """Returns what Redis holds now; a reader awaits it.

    Raises DamagedError, LayoutError, StoreUnavailableError if the project is marked, and what the client raises.
    """
    stripe, prefix = stripe_of(project_id), project_prefix(project_id, asked.generation)
    keys = [head_key(stripe), claims_key(stripe), f"{prefix}m", *([f"{prefix}t"] if asked.wants_namings else ())]
    nodes_at = len(keys)
    for level, indexes in chain(asked.cover.added, asked.cover.taken):
        stem = f"{prefix}n:{level}:"
        keys += [f"{stem}{index}" for index in indexes]
    keys += [node_key(prefix, cut.node) for cut in asked.cover.cuts]
    strings = await mget(stripe_tag(stripe), keys)
    head_data, claims_data, meta_data = strings[:3]
    head = parse_stored_head(stripe, head_data)
    meta = None if meta_data is None else parsed(keys[2], parse_meta, meta_data)
    if meta is not None and meta.unfinished_hashes:
        raise StoreUnavailableError(f"a write of project {project_id} ended in part; it will be mended", "unfinished")
    if meta is not None and head_data is None:
        raise DamagedError(keys[0], "is not there, though projects are")
    stamp = Stamp(b"" if meta is None else meta.write_id, head.live)
    namings = (strings[3] or b"") if asked.wants_namings else None
    look = Look(head, as_of_ms(head_data, claims_data), stamp)
    return View(asked, look, meta, namings, keys[nodes_at:], strings[nodes_at:])


async def read_as_of_ms(shared: SharedRead, stripe: int) -> int:
    """Returns the as-of of a stripe, 0 if its head is damaged. Raises LayoutError, and what the client raises."""
    head_data, claims_data = await shared.mget(stripe_tag(stripe), [head_key(stripe), claims_key(stripe)])
    try:
        parse_stored_head(stripe, head_data)
    except DamagedError:
        return 0
    return as_of_ms(head_data, claims_data)
