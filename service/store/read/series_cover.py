"""Computes the nodes that a series is made from: all borders go down the tree together. Pure, no I/O.

Each interval is a slot: 0 lies before the first border, 1 is the first interval, and so on; the last slot lies behind
the last border. What is summed up in the first and in the last slot is nobody's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.store.layout.tree import CHILD_LEVEL, TOP_LEVEL
from service.store.read.cover import Cover
from service.store.read.series_levels import Indexes, Levels

Slots = NDArray[np.intp]
NOWHERE = 0
CUT_OFTEN, CUT_ONCE, LEAF, ROWS = 0, 3, 4, 5  # leaves that 3 or 2 borders cut lie between the first two


@dataclass(frozen=True, slots=True)
class Nodes:
    """Nodes to be read, a column for each field; kinds are leaves that borders cut, whole leaves, and nodes with rows.

    The sums of a node are added to the slot `plus` and taken off the slot `minus`; either may be NOWHERE. Of a leaf
    that is cut, entries are added to their own slots: `plus` and those behind it, or, of one that is cut often, any.
    """

    kind: NDArray[np.int8]
    level: NDArray[np.int8]
    is_inner: NDArray[np.bool_]
    index: Indexes
    plus: Slots
    minus: Slots

    def __len__(self) -> int:
        return len(self.index)

    def part(self, rows: slice | Indexes) -> "Nodes":
        """Returns some of the nodes."""
        return Nodes(*(getattr(self, name)[rows] for name in self.__slots__))

    def cover(self) -> Cover:
        """Returns the nodes in their order, as what is read."""
        edges = [0, *(np.flatnonzero(np.diff(self.level)) + 1).tolist(), len(self)] if len(self) else []
        return Cover([(int(self.level[start]), self.index[start:end].tolist()) for start, end in pairwise(edges)])


def find_nodes(levels: Levels, borders_ms: NDArray[np.int64]) -> Nodes:
    """Returns the nodes of a series, none twice; those of one kind lie together, in the order of the kinds.

    Where that saves strings, an inner node is read instead of those of its children that lie in one slot; its other
    children are then taken off it. `borders_ms` ascends, and no border is there twice.
    """
    found = [*_descend(levels, borders_ms), _parents(_NO_NODE, 0, _NO_NODE, _NO_NODE)]
    nodes = Nodes(*(np.concatenate(column) for column in zip(*found, strict=True)))
    return nodes.part(nodes.kind.argsort(kind="stable"))


def _descend(levels: Levels, borders_ms: NDArray[np.int64]) -> Iterator[tuple[NDArray[Any], ...]]:
    """Yields columns of Nodes: for each level those of its nodes that are read, and those of their parents."""
    level, index = TOP_LEVEL, levels.listed[TOP_LEVEL]
    # topmost nodes have one parent, which there is not: nothing can be taken off it
    parent_level, parents, parent, debts = level, index[:1], np.zeros(len(index), np.intp), np.zeros(1, np.intp)
    least = len(index) + 1
    while len(parents):
        low = borders_ms.searchsorted(index << level, "right")
        high = borders_ms.searchsorted((index + 1 << level) - 1, "right")
        is_inner, is_whole = levels.is_inner(level, index), low == high
        is_counted = is_whole & (low > 0) & (low < len(borders_ms))
        outside = np.bincount(parent[is_whole & ~is_counted], minlength=len(parents))
        plus = _largest_groups(parent[is_counted], low[is_counted], outside + least)
        yield _parents(parents, parent_level, plus, debts)
        minus = plus[parent]
        is_cut = ~is_whole & ~is_inner
        is_read = is_cut | (is_counted & (low != minus)) | (is_whole & ~is_counted & (minus > 0))
        kind = np.where(is_inner | (level == 0), ROWS, np.maximum(LEAF - (high - low), CUT_OFTEN)).astype(np.int8)
        plus = np.where(kind == CUT_OFTEN, NOWHERE, low)
        columns = kind, np.full(len(index), level, np.int8), is_inner, index, plus, minus
        yield tuple(column[is_read] for column in columns)
        goes_down = ~is_whole & is_inner
        parent_level, parents, debts, least = level, index[goes_down], minus[goes_down], 2
        if len(parents):
            index, parent = levels.children(level, parents)
            level = CHILD_LEVEL[level]


_NO_NODE: Indexes = np.zeros(0, np.int64)


def _parents(index: Indexes, level: int, plus: Slots, minus: Slots) -> tuple[NDArray[Any], ...]:
    """Returns the columns of those inner nodes, which borders cut, that are read beside some of their children."""
    is_read = (plus > 0) | (minus > 0)
    index, plus, minus = index[is_read], plus[is_read], minus[is_read]
    ones = np.ones(len(index), np.int8)
    return ROWS * ones, level * ones, ones.astype(np.bool_), index, plus, minus


def _largest_groups(parent: Slots, slot: Slots, least: Slots) -> Slots:
    """Returns for each parent the slot in which most of its children lie, if they are as many as `least` says, or 0."""
    largest = np.zeros(len(least), np.intp)
    if not len(parent):
        return largest
    slots = 1 + int(slot.max())
    starts = _firsts(parent * slots + slot)
    sizes = np.append(starts[1:], len(parent)) - starts
    firsts = _firsts(parent[starts])
    best = np.maximum.reduceat(sizes * slots + slot[starts], firsts)
    whose = parent[starts[firsts]]
    size, of = np.divmod(best, slots)
    largest[whose] = np.where(size >= least[whose], of, NOWHERE)
    return largest


def _firsts(numbers: Slots) -> Slots:
    """Returns the places of numbers that differ from the one before; for a few, np.diff takes three times as long."""
    differs = np.ones(len(numbers), np.bool_)
    np.not_equal(numbers[1:], numbers[:-1], out=differs[1:])
    return differs.nonzero()[0]
