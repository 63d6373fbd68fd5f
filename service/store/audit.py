"""Recomputes a project's tree from its job records and says where the two differ.

For a store at rest: what is read is not one atomic view, so a write meanwhile can look like drift.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, pairwise

from redis.asyncio import Redis, RedisCluster

from service.store.batch import pack_user
from service.store.contents import Contents, is_inner, possible_children, read_contents
from service.store.cover import CHILD_LEVEL, PARENT_LEVEL, ROOT, Node, Shape
from service.store.layout import (
    DELETED_STATUS,
    ENTRY_BYTES,
    ROW_BYTES,
    job_hash,
    parse_user,
    project_prefix,
    user_key,
)
from service.store.reader import node_key

_LEAF_JOBS = 128
_NAME_BYTES = 19
_LOWEST_LISTED = 36
_SIZE = -1  # the column of a user's bytes, beside those of the statuses

Sums = Counter[tuple[bytes, int]]  # by user key and column; a zero is as good as nothing
Problems = Iterator[tuple[str, str]]  # key without the project's prefix, and what is wrong with it


@dataclass(frozen=True, slots=True)
class Drift:
    """A key of a project that is not what the rest of the project says it must be."""

    project_id: str
    key: str
    what: str


async def audit_project(client: Redis | RedisCluster, project_id: str) -> list[Drift]:
    """Every drift of a project, an empty list if all is well; the whole project is held in memory.

    Raises StoreUnavailableError, LayoutError.
    """
    contents = await read_contents(client, project_id)
    checks = (_check_records, _check_shape, _check_nodes, _check_bottoms, _check_sums, _check_users)
    problems = chain.from_iterable(check(contents) for check in checks)
    prefix = project_prefix(project_id)
    return [Drift(project_id, prefix + key, what) for key, what in problems]


def _name(node: Node) -> str:
    return node_key("", node)


def _items(items: bytes, width: int) -> list[bytes]:
    """The whole items of a string without its marker."""
    return [items[at : at + width] for at in range(0, len(items) - width + 1, width)]


def _ascending(items: list[bytes]) -> bool:
    keys = [int.from_bytes(item[:6], "little") for item in items]
    return all(first < second for first, second in pairwise(keys))


def _sum(string: bytes) -> Sums:
    """What a node counts, from its rows or its entries."""
    sums: Sums = Counter()
    if is_inner(string):
        for row in _items(string[1:], ROW_BYTES):
            for status in range(6):
                sums[row[:6], status] += int.from_bytes(row[6 + 4 * status : 10 + 4 * status], "little")
            sums[row[:6], _SIZE] += int.from_bytes(row[30:], "little")
    else:
        for entry in _items(string[1:], ENTRY_BYTES):
            sums[entry[14:20], entry[20]] += 1
            sums[entry[14:20], _SIZE] += int.from_bytes(entry[7:14], "little")
    return sums


def _entries(contents: Contents) -> list[bytes]:
    """What each job that is not deleted contributes."""
    return [record[11:] for records in contents.records for record in records.values() if record[31] != DELETED_STATUS]


def _bottom(nodes: dict[Node, bytes], start_ms: int) -> Node:
    """The node that must hold the jobs of a start time."""
    node = (ROOT, 0)
    while node[0] > 0 and is_inner(nodes.get(node, b"")):
        level = CHILD_LEVEL[node[0]]
        node = level, start_ms >> level
    return node


def _check_records(contents: Contents) -> Problems:
    hashes = len(contents.records)
    power = 1 << max(hashes.bit_length() - 1, 0)
    for number, records in enumerate(contents.records):
        for job in records:
            home = job_hash(job) % (2 * power)
            home = home if home < hashes else home % power
            if home != number:
                yield f"j:{number}", f"job {job.hex()} belongs into hash {home}"
    if contents.meta is None:
        if contents.nodes or contents.users or contents.times or contents.shape:
            yield "m", "is missing, and other keys are there"
        return
    found = sum(map(len, contents.records))
    if contents.meta.records != found:
        yield "m", f"says {contents.meta.records} records, {found} are there"


def _check_shape(contents: Contents) -> Problems:
    shape = Shape.of(contents.shape)
    inner = {node for node, string in contents.nodes.items() if node[0] > 0 and is_inner(string)}
    listed = {node for node in contents.nodes if _LOWEST_LISTED <= node[0] < ROOT}
    shape_listed = {(CHILD_LEVEL[parent[0]], index) for parent, each in shape.listed.items() for index in each}
    if len(set(contents.shape)) != len(contents.shape):
        yield "s", "lists a node twice"
    for node in sorted(inner ^ shape.inner):
        yield "s", f"{'lacks' if node in inner else 'lists'} inner node {_name(node)}"
    for node in sorted(listed ^ shape_listed):
        yield "s", f"{'lacks' if node in listed else 'lists'} child {_name(node)}"


def _check_nodes(contents: Contents) -> Problems:
    """Each node's string by itself, and its place in the tree."""
    for node, string in sorted(contents.nodes.items()):
        level, index = node
        rows = is_inner(string)
        width = ROW_BYTES if rows else ENTRY_BYTES
        if string[:1] not in (b"L", b"R") or (level == 0 and not rows) or len(string) % width != 1:
            yield _name(node), f"is not a node of level {level}: begins with {string[:1]!r}, {len(string)} bytes"
        if rows and not _ascending(_items(string[1:], width)):
            yield _name(node), "has rows that are not sorted by user key"
        if not rows and len(string) > 1 + _LEAF_JOBS * ENTRY_BYTES:
            yield _name(node), f"is a leaf of more than {_LEAF_JOBS} jobs"
        if level < ROOT:
            parent = PARENT_LEVEL[level], index >> (PARENT_LEVEL[level] - level)
            if not is_inner(contents.nodes.get(parent, b"")):
                yield _name(node), f"has no inner node above it at {_name(parent)}"


def _check_bottoms(contents: Contents) -> Problems:
    """Leaves, and nodes of level 0, against the job records."""
    nodes = contents.nodes
    expected: defaultdict[Node, list[bytes]] = defaultdict(list)
    for entry in _entries(contents):
        expected[_bottom(nodes, int.from_bytes(entry[:7], "little"))].append(entry)
    found = {node for node, string in nodes.items() if node[0] == 0 or not is_inner(string)}
    for node in sorted(found | expected.keys()):
        string = nodes.get(node, b"")
        if node[0] == 0:
            if _sum(string) != _sum(b"L" + b"".join(expected[node])):
                yield _name(node), "has rows that are not the sum of its jobs"
            continue
        wanted, stored = Counter(expected[node]), Counter(_items(string[1:], ENTRY_BYTES))
        if wanted != stored:
            lacking, surplus = (wanted - stored).total(), (stored - wanted).total()
            yield _name(node), f"lacks {lacking} contributions of its jobs, has {surplus} of none"


def _check_sums(contents: Contents) -> Problems:
    """Inner nodes against the nodes right below them."""
    for node, string in sorted(contents.nodes.items()):
        if node[0] > 0 and is_inner(string):
            below: Sums = Counter()
            for child in possible_children(node):
                below.update(_sum(contents.nodes.get(child, b"")))
            rows = _sum(string)
            if rows != below:
                users = {user for user, column in rows | below if rows[user, column] != below[user, column]}
                yield _name(node), f"has rows that are not the sum of what lies below, of {len(users)} users"


def _check_users(contents: Contents) -> Problems:
    named = {item[:6]: item for item in _items(contents.times, _NAME_BYTES)}
    counted = {entry[14:20] for entry in _entries(contents)}
    counted |= {user for string in contents.nodes.values() for user, _ in _sum(string)}
    for user in sorted(counted - contents.users.keys()):
        yield "u", f"lacks user {user.hex()}, who has jobs"
    for user in sorted(contents.users.keys() ^ named.keys()):
        yield "t", f"{'lacks' if user in contents.users else 'has too many: '} user {user.hex()}"
    if len(contents.times) % _NAME_BYTES or not _ascending(_items(contents.times, _NAME_BYTES)):
        yield "t", "is not sorted by user key"
    for user, value in sorted(contents.users.items()):
        user_id, name = parse_user(value)
        if user_key(user_id) != user:
            yield "u", f"has user {user_id} under the key {user.hex()}"
        item = named.get(user)
        if item and item != pack_user(user_id, int.from_bytes(item[6:13], "little"), name)[:_NAME_BYTES]:
            yield "t", f"has another name of user {user_id} than u"
