"""The walk down a project's tree: each inner node against what lies right below it, and the shape against both.

A node and its children are read at one instant, so a difference between them is drift and never a write under way. What
the walk saw of the shape may have changed since; each node in doubt is therefore read again, together with the shape.
"""

from collections import Counter, deque
from collections.abc import Iterable

from service.store.audit_digests import digest_of
from service.store.audit_findings import Findings, WrongBottom, WrongListing, WrongRows
from service.store.audit_reads import ProjectReads, chunks, node_name
from service.store.audit_tree import (
    Sums,
    differing_users,
    form_problems,
    is_inner,
    parent_of,
    possible_children,
    sum_of,
)
from service.store.cover import LOWEST_LISTED_LEVEL, TOP_LEVEL, Node, Shape
from service.store.layout import parse_shape

_READ_BYTES = 1 << 20
_LEAVES_BYTES = 24_576  # of eight full ones


class Walk:
    """What there was on the way down."""

    def __init__(self, reads: ProjectReads, findings: Findings) -> None:
        self._reads = reads
        self._findings = findings
        self._pending: deque[tuple[Node, int]] = deque()  # inner nodes, and the bytes that a look below takes
        self.inner: set[Node] = set()
        self.listed: set[Node] = set()  # nodes of the levels that the shape lists
        self.bottoms: dict[Node, int] = {}  # digests

    async def run(self, tops: Iterable[int]) -> None:
        """Walks down from these topmost nodes. Raises what ProjectReads raises."""
        nodes = [(TOP_LEVEL, index) for index in sorted(tops)]
        strings = await self._reads.strings(nodes)
        for node in nodes:
            self._take(node, strings.get(node))
        while self._pending:
            parents: list[Node] = []
            size = 0
            while self._pending and (not parents or size + self._pending[0][1] <= _READ_BYTES):
                node, node_bytes = self._pending.popleft()
                parents.append(node)
                size += node_bytes
            await self._look_below(parents)

    async def _look_below(self, parents: list[Node]) -> None:
        nodes = [node for parent in parents for node in (parent, *possible_children(parent))]
        view = await self._reads.view([node_name(node) for node in nodes])
        strings = dict(zip(nodes, view.strings, strict=True))
        for parent in parents:
            string = strings[parent]
            if string is None or not is_inner(string):  # another hand has been here since
                self._take(parent, string)
                continue
            children = list(possible_children(parent))
            self._check_sums(parent, string, [strings[child] or b"" for child in children])
            self.inner.add(parent)
            for child in children:
                self._take(child, strings[child])

    def _check_sums(self, parent: Node, string: bytes, children: list[bytes]) -> None:
        below: Sums = Counter()
        for child in children:
            below.update(sum_of(child))
        rows = sum_of(string)
        self._findings.users.update(user for user, _ in below | rows)
        users = differing_users(rows, below)
        if users:
            what = f"has rows that are not the sum of what lies below, of {len(users)} users"
            self._findings.add_node(parent, what, WrongRows(parent))

    def _take(self, node: Node, string: bytes | None) -> None:
        if string is None:
            self.bottoms[node] = 0
            return
        goes_on = node[0] > 0 and is_inner(string)
        for what in form_problems(node, string):
            cause = WrongRows(node) if goes_on else WrongBottom(node, frozenset(), Counter())
            self._findings.add_node(node, what, cause)
        if node[0] >= LOWEST_LISTED_LEVEL:
            self.listed.add(node)
        if goes_on:
            self._pending.append((node, 9 * len(string) + _LEAVES_BYTES))
        else:
            self.bottoms[node] = digest_of(node, string)
            self._findings.users.update(user for user, _ in sum_of(string))


def listed_by(shape: Shape) -> set[Node]:
    """The nodes that a shape lists, inner ones and leaves, at the levels where it lists both."""
    below = {(LOWEST_LISTED_LEVEL, index) for each in shape.listed.values() for index in each}
    return below | {(TOP_LEVEL, index) for index in shape.tops}


async def check_shape(reads: ProjectReads, walk: Walk, findings: Findings) -> None:
    """The shape against the nodes that were met. Raises what ProjectReads raises."""
    [data] = (await reads.view(["s"])).strings
    entries = parse_shape(data or b"")
    shape = Shape.of(entries)
    for level, index in {entry for entry, times in Counter(entries).items() if times > 1}:
        findings.add("s", "lists a node twice", WrongListing((level, index)))
    doubtful = sorted((shape.inner ^ walk.inner) | (listed_by(shape) ^ walk.listed))
    for nodes in chunks(doubtful, 200):
        above = [parent_of(node) if node[0] < TOP_LEVEL else node for node in nodes]
        view = await reads.view(["s", *map(node_name, [*nodes, *above])])
        shape = Shape.of(parse_shape(view.strings[0] or b""))
        listed = listed_by(shape)
        strings, strings_above = view.strings[1 : 1 + len(nodes)], view.strings[1 + len(nodes) :]
        for node, string, string_above in zip(nodes, strings, strings_above, strict=True):
            _check_listing(node, string, shape, listed, findings)
            if string is not None and node[0] < TOP_LEVEL and not is_inner(string_above):
                findings.add_node(node, f"has no inner node above it at {node_name(parent_of(node))}")


def _check_listing(node: Node, string: bytes | None, shape: Shape, listed: set[Node], findings: Findings) -> None:
    is_there = is_inner(string) and node[0] > 0
    if is_there != (node in shape.inner):
        findings.add("s", f"{'lacks' if is_there else 'lists'} inner node {node_name(node)}", WrongListing(node))
    if node[0] >= LOWEST_LISTED_LEVEL and (string is not None) != (node in listed):
        what = f"{'lacks' if string is not None else 'lists'} node {node_name(node)}"
        findings.add("s", what, WrongListing(node))
