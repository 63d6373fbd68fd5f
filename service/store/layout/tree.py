"""The time tree: its levels, and the shape that a project's tree has. Pure.

A node is (level, index): the bucket [index * 2^level, (index + 1) * 2^level) of start times. Inner nodes hold rows
(sums per user), leaves hold the entries of their jobs, nodes of level 0 hold rows.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from service.store.layout.projects import LISTED_LEAF

TOP_LEVEL = 42
LEVELS = (42, 36, 33, 30, 27, 24, 21, 18, 15, 12, 9, 6, 3, 0)
CHILD_LEVEL = dict(pairwise(LEVELS))
PARENT_LEVEL = {child: level for level, child in CHILD_LEVEL.items()}
# The topmost nodes and their children may be far apart: the shape lists those there are.
LOWEST_LISTED_LEVEL = 36
Node = tuple[int, int]


def possible_children(node: Node) -> Iterator[Node]:
    """Yields all nodes that may lie right below one; none below level 0."""
    level, index = node
    if level > 0:
        child = CHILD_LEVEL[level]
        for number in range(index << (level - child), (index + 1) << (level - child)):
            yield child, number


@dataclass(slots=True)
class Shape:
    """Which nodes of a project are inner, and which there are of those too far apart to try all."""

    inner: set[Node] = field(default_factory=set)
    tops: set[int] = field(default_factory=set)
    listed: dict[Node, set[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[tuple[int, int]]) -> "Shape":
        """The shape from its stored entries (see layout.projects.parse_shape)."""
        shape = cls()
        for flagged_level, index in entries:
            level = flagged_level % LISTED_LEAF
            if level == flagged_level:
                shape.inner.add((level, index))
            if level == TOP_LEVEL:
                shape.tops.add(index)
            elif level == LOWEST_LISTED_LEVEL:
                parent = (TOP_LEVEL, index >> (TOP_LEVEL - level))
                shape.listed.setdefault(parent, set()).add(index)
        return shape

    def may_have(self, node: Node) -> bool:
        """Whether a child of an inner node may hold jobs."""
        level, index = node
        if level != LOWEST_LISTED_LEVEL:
            return True
        return index in self.listed.get((TOP_LEVEL, index >> TOP_LEVEL - level), ())

    def children(self, node: Node) -> Sequence[int]:
        """Indexes of the children of an inner node that may hold jobs, ascending."""
        level, index = node
        child = CHILD_LEVEL[level]
        if child == LOWEST_LISTED_LEVEL:
            return sorted(self.listed.get(node, ()))
        width = level - child
        return range(index << width, (index + 1) << width)


def path_of(node: Node) -> list[Node]:
    """Returns the nodes above one, from right above it to the topmost."""
    level, index = node
    path = []
    while level < TOP_LEVEL:
        index >>= PARENT_LEVEL[level] - level
        level = PARENT_LEVEL[level]
        path.append((level, index))
    return path


def span_of(node: Node) -> range:
    """Returns the start times that belong into a node."""
    level, index = node
    return range(index << level, (index + 1) << level)
