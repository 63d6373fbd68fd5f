"""The time tree's arithmetic: which nodes answer for an interval of start times. Pure, no I/O.

A node is (level, index): the bucket [index * 2^level, (index + 1) * 2^level) of start times. Inner nodes hold rows
(sums per user), leaves hold the entries of their jobs, nodes of level 0 hold rows. A cover is signed: it may take a
whole node and subtract the children outside the interval, whichever needs fewer strings.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import pairwise
from typing import NamedTuple

from service.store.layout import LISTED_LEAF

TOP_LEVEL = 42
LEVELS = (42, 36, 33, 30, 27, 24, 21, 18, 15, 12, 9, 6, 3, 0)
CHILD_LEVEL = dict(pairwise(LEVELS))
PARENT_LEVEL = {child: level for level, child in CHILD_LEVEL.items()}
# The topmost nodes and their children may be far apart: the shape lists those there are.
LOWEST_LISTED_LEVEL = 36

Node = tuple[int, int]


class Part(Enum):
    """What of a node's string is counted."""

    ROWS = auto()  # all rows
    ENTRIES = auto()  # all entries
    INSIDE = auto()  # the entries that start in the interval
    OUTSIDE = auto()  # the entries that do not


class Term(NamedTuple):
    """One string of a cover: the node, +1 or -1, and what of it is counted."""

    node: Node
    sign: int
    part: Part


@dataclass(slots=True)
class Shape:
    """Which nodes of a project are inner, and which there are of those too far apart to try all."""

    inner: set[Node] = field(default_factory=set)
    tops: set[int] = field(default_factory=set)
    listed: dict[Node, set[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[tuple[int, int]]) -> "Shape":
        """The shape from its stored entries (see layout.parse_shape)."""
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

    def children(self, node: Node) -> Iterable[int]:
        """Indexes of the children of an inner node that may hold jobs."""
        level, index = node
        child = CHILD_LEVEL[level]
        if child == LOWEST_LISTED_LEVEL:
            return sorted(self.listed.get(node, ()))
        width = level - child
        return range(index << width, (index + 1) << width)


def _negate(terms: list[Term]) -> list[Term]:
    return [Term(node, -sign, part) for node, sign, part in terms]


def _whole(shape: Shape, node: Node) -> Term:
    return Term(node, 1, Part.ROWS if node[0] == 0 or node in shape.inner else Part.ENTRIES)


def _divide(
    shape: Shape, level: int, indexes: Iterable[int], start_ms: int, end_ms: int
) -> tuple[list[Term], list[Term]]:
    """Covers of what lies inside and of what lies outside the interval, for siblings."""
    inside: list[Term] = []
    outside: list[Term] = []
    for index in indexes:
        first = index << level
        last = first + (1 << level) - 1
        node = (level, index)
        if start_ms <= first and last < end_ms:
            inside.append(_whole(shape, node))
        elif last < start_ms or end_ms <= first:
            outside.append(_whole(shape, node))
        elif node not in shape.inner:
            inside.append(Term(node, 1, Part.INSIDE))
            outside.append(Term(node, 1, Part.OUTSIDE))
        else:
            part_inside, part_outside = _divide_node(shape, node, start_ms, end_ms)
            inside += part_inside
            outside += part_outside
    return inside, outside


def _divide_node(shape: Shape, node: Node, start_ms: int, end_ms: int) -> tuple[list[Term], list[Term]]:
    """The same for an inner node, which may also be counted whole and corrected by what is on the other side."""
    inside, outside = _divide(shape, CHILD_LEVEL[node[0]], shape.children(node), start_ms, end_ms)
    whole = _whole(shape, node)
    if len(inside) > len(outside) + 1:
        return [whole, *_negate(outside)], outside
    if len(outside) > len(inside) + 1:
        return inside, [whole, *_negate(inside)]
    return inside, outside


def cover(shape: Shape, start_ms: int, end_ms: int) -> list[Term]:
    """The terms whose sum counts the jobs that start in `[start_ms, end_ms)`; few, whatever the interval."""
    return _divide(shape, TOP_LEVEL, sorted(shape.tops), start_ms, end_ms)[0] if start_ms < end_ms else []
