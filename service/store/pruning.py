"""Finds the nodes of a project that a sweep may delete once all jobs before the horizon have left them. Pure."""

from collections.abc import Iterator, Sequence

from service.store.layout.projects import LISTED_LEAF
from service.store.layout.tree import TOP_LEVEL, Node, possible_children

Entry = tuple[int, int]
"""The level and the index of an entry of a shape: see layout.projects.parse_shape."""

Group = Sequence[Node]
"""Nodes that are deleted together; a node comes after all nodes below it, in the same group or in an earlier one."""


def find_groups(entries: Sequence[Entry], horizon_ms: int) -> Iterator[Group]:
    """Yields the nodes that lie wholly before the horizon, whether they are there or not; the lowest first."""
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
    """Returns the entries of a shape without those of the nodes given."""
    return [entry for entry in entries if (entry[0] % LISTED_LEAF, entry[1]) not in nodes]
