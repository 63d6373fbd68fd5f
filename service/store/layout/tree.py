"""The levels and nodes of the time tree, and the shape of a project's tree. Pure.

A node is (level, index): the bucket [index * 2^level, (index + 1) * 2^level) of start times in ms. Inner nodes and
nodes of level 0 hold rows (sums per user), leaves hold the entries of their jobs.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from service.store.layout.projects import LISTED_LEAF

TOP_LEVEL = 42
LEVELS = (42, 36, 33, 30, 27, 24, 21, 18, 15, 12, 9, 6, 3, 0)
CHILD_LEVEL = dict(pairwise(LEVELS))
PARENT_LEVEL = {child: level for level, child in CHILD_LEVEL.items()}
# Nodes of this level and topmost nodes may be far apart: the shape lists all that are there.
LOWEST_LISTED_LEVEL = 36
Node = tuple[int, int]


def possible_children(node: Node) -> Iterator[Node]:
    """Yields all nodes that may lie right below a node; none if it is of level 0."""
    level, index = node
    if level > 0:
        child = CHILD_LEVEL[level]
        for number in range(index << (level - child), (index + 1) << (level - child)):
            yield child, number


@dataclass(slots=True)
class Shape:
    """A project's shape: which nodes are inner, and which topmost nodes and nodes of level 36 there are.

    `tops` has the indexes of the topmost nodes, `listed` by topmost node the indexes of its children.
    """

    inner: set[Node] = field(default_factory=set)
    tops: set[int] = field(default_factory=set)
    listed: dict[Node, set[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[tuple[int, int]]) -> "Shape":
        """Makes a shape from its stored entries (see layout.projects.parse_shape)."""
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
        """Tells whether a child of an inner node may hold jobs."""
        level, index = node
        if level != LOWEST_LISTED_LEVEL:
            return True
        return index in self.listed.get((TOP_LEVEL, index >> TOP_LEVEL - level), ())

    def children(self, node: Node) -> Sequence[int]:
        """Returns the indexes of those children of an inner node that may hold jobs, ascending."""
        level, index = node
        child = CHILD_LEVEL[level]
        if child == LOWEST_LISTED_LEVEL:
            return sorted(self.listed.get(node, ()))
        width = level - child
        return range(index << width, (index + 1) << width)


def path_of(node: Node) -> list[Node]:
    """Returns the nodes above a node, from its parent to the topmost."""
    level, index = node
    path = []
    while level < TOP_LEVEL:
        index >>= PARENT_LEVEL[level] - level
        level = PARENT_LEVEL[level]
        path.append((level, index))
    return path


def span_of(node: Node) -> range:
    """Returns the start times (ms) whose jobs belong into a node."""
    level, index = node
    return range(index << level, (index + 1) << level)
