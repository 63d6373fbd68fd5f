"""Everything that the store keeps of one project, read into memory as it lies there."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis, RedisCluster

from service.store.contract import REDIS_ERRORS, StoreUnavailableError
from service.store.cover import CHILD_LEVEL, Node
from service.store.layout import (
    LISTED_LEAF,
    ROW_BYTES,
    Meta,
    check_layout,
    head_key,
    parse_head,
    parse_meta,
    parse_shape,
    project_prefix,
    stripe_of,
)
from service.store.reader import node_key

_KEYS_PER_CALL = 500


@dataclass(frozen=True, slots=True)
class Contents:
    """The strings and hashes of a project; `nodes` has those that exist, `records` one item per hash."""

    project_id: str
    meta: Meta | None
    shape: list[tuple[int, int]]
    nodes: dict[Node, bytes]
    records: list[dict[bytes, bytes]]
    users: dict[bytes, bytes]
    times: bytes


def is_inner(string: bytes) -> bool:
    """Whether a node's string holds rows: an inner node, or one of level 0."""
    return string[:1] in ROW_BYTES


def possible_children(node: Node) -> Iterator[Node]:
    """All nodes that may lie right below one; none below level 0."""
    level, index = node
    if level > 0:
        child = CHILD_LEVEL[level]
        for number in range(index << (level - child), (index + 1) << (level - child)):
            yield child, number


async def read_contents(client: Redis | RedisCluster, project_id: str) -> Contents:
    """Reads a project key by key, found from its meta and its shape downwards: not one atomic view.

    Raises StoreUnavailableError, LayoutError.
    """
    try:
        [head_data] = await _get(client, [head_key(stripe_of(project_id))])
        head = check_layout(parse_head(head_data))
        prefix = project_prefix(project_id, head.generation)
        meta_data, shape_data, times = await _get(client, [prefix + name for name in "mst"])
        meta = parse_meta(meta_data) if meta_data else None
        shape = parse_shape(shape_data or b"")
        nodes = await _read_nodes(client, prefix, {(level % LISTED_LEAF, index) for level, index in shape})
        hashes = [f"{prefix}j:{number}" for number in range(meta.hashes if meta else 0)]
        *records, users = await _get_hashes(client, [*hashes, f"{prefix}u"])
    except REDIS_ERRORS as error:
        raise StoreUnavailableError(f"reading all of project {project_id}: {error}") from error
    return Contents(project_id, meta, shape, nodes, records, users, times or b"")


async def _read_nodes(client: Redis | RedisCluster, prefix: str, listed: set[Node]) -> dict[Node, bytes]:
    """The nodes that the shape lists, the topmost among them, and level by level whatever lies below."""
    nodes: dict[Node, bytes] = {}
    wanted = set(listed)
    while wanted:
        found = await _get(client, [node_key(prefix, node) for node in wanted])
        new = {node: string for node, string in zip(wanted, found, strict=True) if string}
        nodes |= new
        wanted = {child for node, string in new.items() if is_inner(string) for child in possible_children(node)}
        wanted -= nodes.keys()
    return nodes


def _chunks(keys: list[str]) -> Iterable[list[str]]:
    return (keys[at : at + _KEYS_PER_CALL] for at in range(0, len(keys), _KEYS_PER_CALL))


async def _get(client: Redis | RedisCluster, keys: list[str]) -> list[Any]:
    return [value for chunk in _chunks(keys) for value in await client.mget(chunk)]


async def _get_hashes(client: Redis | RedisCluster, keys: list[str]) -> list[dict[bytes, bytes]]:
    hashes: list[dict[bytes, bytes]] = []
    for chunk in _chunks(keys):
        async with client.pipeline(transaction=False) as pipeline:
            for key in chunk:
                pipeline.hgetall(key)
            hashes += await pipeline.execute()
    return hashes
