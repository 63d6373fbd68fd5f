"""Computes the cover of an interval of start times: the nodes whose signed sum is the answer. Pure, no I/O.

A reader does this before it reads. A cover is signed: it may add a whole node and subtract the children outside the
interval, where that needs fewer strings. service.store.layout.tree describes nodes.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from service.store.layout.tree import CHILD_LEVEL, TOP_LEVEL, Node, Shape

Run = tuple[int, Sequence[int]]
"""A level, and the indexes of some nodes of that level."""


class Cut(NamedTuple):
    """A leaf that an edge of the interval cuts.

    `sign` (1 or -1) is applied to those of its entries that lie inside the interval, or outside if not `inside`.
    """

    node: Node
    sign: int
    inside: bool


@dataclass(frozen=True, slots=True)
class Cover:
    """The nodes that are added whole, the nodes that are subtracted whole, and the leaves of which a part counts."""

    added: list[Run] = field(default_factory=list)
    taken: list[Run] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)


_BEFORE, _BEHIND = 0, 1  # the sides of an edge


class _Edge:
    """An edge of the interval in a node: the nodes before it and behind it, and how many strings each side takes.

    A side of a node is covered by its children there, or by the whole node minus its children on the other side.
    """

    __slots__ = ("_bottom", "_has_before", "_is_end", "_is_there", "_steps", "before", "behind")

    def __init__(self, shape: Shape, node: Node, at_ms: int, *, is_end: bool) -> None:
        self._is_end = is_end
        way, inner = [], shape.inner
        while node in inner and at_ms > node[1] << node[0]:
            level = CHILD_LEVEL[node[0]]
            index = at_ms >> level
            way.append((node, level, *_around(shape.children(node), index)))
            node = level, index
        self._bottom = node
        self._is_there = is_there = shape.may_have(node)
        self._has_before = is_there and at_ms > node[1] << node[0]
        self._steps: list[tuple[Node, int, tuple[Sequence[int], Sequence[int]], tuple[bool, bool]]] = []
        left, right = int(self._has_before), int(is_there)
        for node, level, before, behind in reversed(way):
            left, right = len(before) + left, len(behind) + right
            self._steps.append((node, level, (before, behind), (left > right + 1, right > left + 1)))
            left, right = min(left, right + 1), min(right, left + 1)
        self.before, self.behind = left, right

    def add(self, cover: Cover, sign: int, side: int) -> None:
        """Adds to the cover, or by the sign subtracts, what lies before the edge (_BEFORE) or behind it (_BEHIND)."""
        runs, others = (cover.added, cover.taken) if sign > 0 else (cover.taken, cover.added)
        for node, level, sides, flips in reversed(self._steps):
            if flips[side]:
                runs.append((node[0], node[1:]))
                runs, others, sign, side = others, runs, -sign, 1 - side
            if sides[side]:
                runs.append((level, sides[side]))
        if self._has_before:
            cover.cuts.append(Cut(self._bottom, sign, (side == _BEFORE) == self._is_end))
        elif side == _BEHIND and self._is_there:
            runs.append((self._bottom[0], self._bottom[1:]))


def _around(children: Sequence[int], child: int) -> tuple[Sequence[int], Sequence[int]]:
    """Returns the children before a child and those behind it."""
    if isinstance(children, range):
        return range(children.start, child), range(child + 1, children.stop)
    return children[: bisect_left(children, child)], children[bisect_left(children, child + 1) :]


def _add_inside(cover: Cover, shape: Shape, node: Node, start_ms: int, end_ms: int) -> None:
    """Adds to the cover the part of a node that lies inside the interval, which touches the node."""
    while True:
        level, index = node
        starts_inside, ends_inside = start_ms > index << level, end_ms < index + 1 << level
        if not (starts_inside or ends_inside):
            cover.added.append((level, (index,)))
        elif node not in shape.inner:
            cover.cuts.append(Cut(node, 1, True))
        elif not ends_inside:
            _Edge(shape, node, start_ms, is_end=False).add(cover, 1, _BEHIND)
        elif not starts_inside:
            _Edge(shape, node, end_ms, is_end=True).add(cover, 1, _BEFORE)
        else:
            child = CHILD_LEVEL[level]
            if start_ms >> child != end_ms - 1 >> child:
                _add_between(cover, shape, node, start_ms, end_ms)
            else:
                node = child, start_ms >> child
                if shape.may_have(node):
                    continue
        return


def _add_between(cover: Cover, shape: Shape, node: Node, start_ms: int, end_ms: int) -> None:
    """Adds to the cover what lies inside of an interval whose edges are in different children of a node."""
    level = CHILD_LEVEL[node[0]]
    first, last = start_ms >> level, end_ms >> level
    before, rest = _around(shape.children(node), first)
    between, behind = _around(rest, last)
    lower = _Edge(shape, (level, first), start_ms, is_end=False)
    upper = _Edge(shape, (level, last), end_ms, is_end=True)
    inside = lower.behind + len(between) + upper.before
    outside = len(before) + lower.before + upper.behind + len(behind)
    if inside > outside + 1:
        cover.added.append((node[0], node[1:]))
        cover.taken.extend(((level, before), (level, behind)))
        lower.add(cover, -1, _BEFORE)
        upper.add(cover, -1, _BEHIND)
    else:
        cover.added.append((level, between))
        lower.add(cover, 1, _BEHIND)
        upper.add(cover, 1, _BEFORE)


def cover(shape: Shape, start_ms: int, end_ms: int) -> Cover:
    """Returns the cover of the interval `[start_ms, end_ms)`: few nodes, none twice, however long the interval is."""
    result = Cover()
    if start_ms < end_ms:
        for index in sorted(shape.tops):
            if index << TOP_LEVEL < end_ms and start_ms < index + 1 << TOP_LEVEL:
                _add_inside(result, shape, (TOP_LEVEL, index), start_ms, end_ms)
    return result
