"""Which nodes of a project may go once all jobs before the horizon have left it. Pure."""

from collections.abc import Iterator, Sequence

from service.store.layout.projects import LISTED_LEAF
from service.store.layout.tree import TOP_LEVEL, Node, possible_children

Entry = tuple[int, int]
"""An entry of a shape: see layout.projects.parse_shape."""

Group = Sequence[Node]
"""Nodes that go together; a node comes after all that lies below it, in the same group or in one before."""


def find_groups(entries: Sequence[Entry], horizon_ms: int) -> Iterator[Group]:
    """The nodes that lie wholly before the horizon, whether they are there or not; the lowest first."""
    inner = {entry for entry in entries if entry[0] < LISTED_LEAF}
    top_leaves = {(TOP_LEVEL, index) for level, index in entries if level == TOP_LEVEL + LISTED_LEAF} - inner
    for node in sorted(inner):
        level, index = node
        if index << level < horizon_ms:
            group = [*(child for child in possible_children(node) if child not in inner), node]
            yield [each for each in group if _ends_before(each, horizon_ms)]
    for node in sorted(top_leaves):
        yield [node] if _ends_before(node, horizon_ms) else []


def _ends_before(node: Node, horizon_ms: int) -> bool:
    return (node[1] + 1) << node[0] <= horizon_ms


def without(entries: Sequence[Entry], nodes: set[Node]) -> list[Entry]:
    """A shape without some nodes."""
    return [entry for entry in entries if (entry[0] % LISTED_LEAF, entry[1]) not in nodes]
