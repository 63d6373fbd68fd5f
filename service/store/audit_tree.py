"""The audit of a project's tree: its nodes against the job records, against each other and against its shape. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from service.store.contents import Contents, is_inner, possible_children
from service.store.cover import CHILD_LEVEL, LOWEST_LISTED_LEVEL, PARENT_LEVEL, TOP_LEVEL, Node, Shape
from service.store.layout import DELETED_STATUS, ENTRY_BYTES, ROW_BYTES
from service.store.reader import node_key

RECORD_BYTES = 32
_LEAF_JOBS = 128
_COUNT_BYTES = {19: 1, 40: 4}
_SIZE = -1  # the column of a user's bytes, beside those of the statuses

Sums = Counter[tuple[bytes, int]]  # by user key and column; a zero is as good as nothing
Problems = Iterator[tuple[str, str]]  # key without the project's prefix, and what is wrong with it


def _name(node: Node) -> str:
    return node_key("", node)


def items_of(items: bytes, width: int) -> list[bytes]:
    """The whole items of a string without its marker."""
    return [items[at : at + width] for at in range(0, len(items) - width + 1, width)]


def are_ascending(items: list[bytes]) -> bool:
    """Whether items are sorted by the user key that they begin with, and none comes twice."""
    keys = [int.from_bytes(item[:6], "little") for item in items]
    return all(first < second for first, second in pairwise(keys))


def sum_of(string: bytes) -> Sums:
    """What a node counts, from its rows or its entries."""
    sums: Sums = Counter()
    if is_inner(string):
        width = ROW_BYTES[string[:1]]
        number = _COUNT_BYTES[width]
        for row in items_of(string[1:], width):
            for status in range(6):
                at = 6 + number * status
                sums[row[:6], status] += int.from_bytes(row[at : at + number], "little")
            sums[row[:6], _SIZE] += int.from_bytes(row[6 + 6 * number :], "little")
    else:
        for entry in items_of(string[1:], ENTRY_BYTES):
            sums[entry[14:20], entry[20]] += 1
            sums[entry[14:20], _SIZE] += int.from_bytes(entry[7:14], "little")
    return sums


def contributions(contents: Contents) -> list[bytes]:
    """What each job that is not deleted contributes."""
    records = (record for each in contents.records for record in each.values() if len(record) == RECORD_BYTES)
    return [record[11:] for record in records if record[31] != DELETED_STATUS]


def _bottom(nodes: dict[Node, bytes], start_ms: int) -> Node:
    """The node that must hold the jobs of a start time."""
    node = TOP_LEVEL, start_ms >> TOP_LEVEL
    while node[0] > 0 and is_inner(nodes.get(node, b"")):
        level = CHILD_LEVEL[node[0]]
        node = level, start_ms >> level
    return node


def check_shape(contents: Contents) -> Problems:
    """The shape against the nodes that are there."""
    shape = Shape.of(contents.shape)
    inner = {node for node, string in contents.nodes.items() if node[0] > 0 and is_inner(string)}
    listed = {node for node in contents.nodes if node[0] >= LOWEST_LISTED_LEVEL}
    shape_listed = {(TOP_LEVEL, index) for index in shape.tops}
    shape_listed |= {(LOWEST_LISTED_LEVEL, index) for each in shape.listed.values() for index in each}
    if len(set(contents.shape)) != len(contents.shape):
        yield "s", "lists a node twice"
    for node in sorted(inner ^ shape.inner):
        yield "s", f"{'lacks' if node in inner else 'lists'} inner node {_name(node)}"
    for node in sorted(listed ^ shape_listed):
        yield "s", f"{'lacks' if node in listed else 'lists'} node {_name(node)}"


def check_nodes(contents: Contents) -> Problems:
    """Each node's string by itself, and its place in the tree."""
    for node, string in sorted(contents.nodes.items()):
        level, index = node
        rows = is_inner(string)
        width = ROW_BYTES.get(string[:1], ENTRY_BYTES)
        if string[:1] not in {b"L", *ROW_BYTES} or (level == 0 and not rows) or len(string) % width != 1:
            yield _name(node), f"is not a node of level {level}: begins with {string[:1]!r}, {len(string)} bytes"
        if rows and not are_ascending(items_of(string[1:], width)):
            yield _name(node), "has rows that are not sorted by user key"
        if not rows and len(string) > 1 + _LEAF_JOBS * ENTRY_BYTES:
            yield _name(node), f"is a leaf of more than {_LEAF_JOBS} jobs"
        if level < TOP_LEVEL:
            parent = PARENT_LEVEL[level], index >> (PARENT_LEVEL[level] - level)
            if not is_inner(contents.nodes.get(parent, b"")):
                yield _name(node), f"has no inner node above it at {_name(parent)}"


def check_bottoms(contents: Contents) -> Problems:
    """Leaves, and nodes of level 0, against the job records."""
    nodes = contents.nodes
    expected: defaultdict[Node, list[bytes]] = defaultdict(list)
    for entry in contributions(contents):
        expected[_bottom(nodes, int.from_bytes(entry[:7], "little"))].append(entry)
    found = {node for node, string in nodes.items() if node[0] == 0 or not is_inner(string)}
    for node in sorted(found | expected.keys()):
        string = nodes.get(node, b"")
        if node[0] == 0:
            if sum_of(string) != sum_of(b"L" + b"".join(expected[node])):
                yield _name(node), "has rows that are not the sum of its jobs"
            continue
        wanted, stored = Counter(expected[node]), Counter(items_of(string[1:], ENTRY_BYTES))
        if wanted != stored:
            lacking, surplus = (wanted - stored).total(), (stored - wanted).total()
            yield _name(node), f"lacks {lacking} contributions of its jobs, has {surplus} of none"


def check_sums(contents: Contents) -> Problems:
    """Inner nodes against the nodes right below them."""
    for node, string in sorted(contents.nodes.items()):
        if node[0] > 0 and is_inner(string):
            below: Sums = Counter()
            for child in possible_children(node):
                below.update(sum_of(contents.nodes.get(child, b"")))
            rows = sum_of(string)
            if rows != below:
                users = {user for user, column in rows | below if rows[user, column] != below[user, column]}
                yield _name(node), f"has rows that are not the sum of what lies below, of {len(users)} users"
