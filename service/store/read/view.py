"""One look at a project: a stripe's head, the project's meta, and the strings of a cover, all of one instant."""

from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from typing import Any, NamedTuple

from service.store.errors import StoreUnavailableError
from service.store.layout.heads import Head, as_of_ms
from service.store.layout.keys import claims_key, head_key, node_key, project_prefix, stripe_of, stripe_tag
from service.store.layout.projects import Meta, parse_meta
from service.store.read.answer_cache import Stamp
from service.store.read.cover import Cover
from service.store.read.node_checks import parsed
from service.store.read.shared_read import SharedRead
from service.store.redis.views import DamagedError, parse_stored_head

Mget = Callable[[str, list[str]], Awaitable[list[Any]]]
"""Returns the strings of keys that have a hash tag, all of one instant; see SharedRead.mget."""


class Asked(NamedTuple):
    """What is asked for beside head and meta: the nodes of a generation that cover an interval, and maybe namings.

    `keys` are those of the nodes, in the order of the cover.
    """

    generation: int
    interval: range = range(0)
    cover: Cover = Cover()
    keys: Sequence[str] = ()
    wants_namings: bool = False


class Look(NamedTuple):
    """What a stripe's head and a project's last write were."""

    head: Head
    as_of_ms: int
    stamp: Stamp


class View(NamedTuple):
    """What a look saw: `meta` is None where there is no project, `namings` where they were not asked for.

    `nodes` are the strings of the nodes that were asked for.
    """

    asked: Asked
    look: Look
    meta: Meta | None
    namings: bytes | None
    nodes: list[bytes | None]


def node_keys(prefix: str, nodes: Cover) -> list[str]:
    """Returns the keys of the nodes of a cover, for the prefix of a project's keys."""
    keys = []
    for level, indexes in chain(nodes.added, nodes.taken):
        stem = f"{prefix}n:{level}:"
        keys += [f"{stem}{index}" for index in indexes]
    return keys + [node_key(prefix, cut.node) for cut in nodes.cuts]


async def read_view(mget: Mget, project_id: str, asked: Asked) -> View:
    """Returns what Redis holds now; a reader awaits it.

    Raises DamagedError, LayoutError, StoreUnavailableError if the project is marked, and what the client raises.
    """
    stripe, prefix = stripe_of(project_id), project_prefix(project_id, asked.generation)
    keys = [head_key(stripe), claims_key(stripe), f"{prefix}m", *([f"{prefix}t"] if asked.wants_namings else ())]
    nodes_at = len(keys)
    strings = await mget(stripe_tag(stripe), [*keys, *asked.keys])
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
    return View(asked, look, meta, namings, strings[nodes_at:])


async def read_as_of_ms(shared: SharedRead, stripe: int) -> int:
    """Returns the as-of of a stripe, 0 if its head is damaged. Raises LayoutError, and what the client raises."""
    head_data, claims_data = await shared.mget(stripe_tag(stripe), [head_key(stripe), claims_key(stripe)])
    try:
        parse_stored_head(stripe, head_data)
    except DamagedError:
        return 0
    return as_of_ms(head_data, claims_data)
