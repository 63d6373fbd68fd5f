"""A project's shape as sorted arrays of nodes, a few for each level. Pure, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.store.layout.projects import LISTED_LEAF
from service.store.layout.tree import CHILD_LEVEL, LOWEST_LISTED_LEVEL, TOP_LEVEL

Indexes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Levels:
    """The indexes of a shape's inner nodes by level, and of all nodes of the listed levels; each array ascends."""

    inner: Mapping[int, Indexes]
    listed: Mapping[int, Indexes]

    @classmethod
    def of(cls, packed: bytes) -> "Levels":
        """Makes the arrays from a shape as it is stored (see layout.projects.pack_shape)."""
        entries = np.frombuffer(packed, "<u8")
        flagged, indexes = entries & 0xFF, (entries >> 8).astype(np.int64)
        levels = flagged % LISTED_LEAF
        return cls(
            {level: np.unique(indexes[flagged == level]) for level in CHILD_LEVEL},
            {level: np.unique(indexes[levels == level]) for level in (TOP_LEVEL, LOWEST_LISTED_LEVEL)},
        )

    def is_inner(self, level: int, indexes: Indexes) -> NDArray[np.bool_]:
        """Tells of each node of a level whether it is an inner node."""
        return _is_in(indexes, self.inner.get(level, _NONE))

    def children(self, level: int, parents: Indexes) -> tuple[Indexes, NDArray[np.intp]]:
        """Returns the children that inner nodes of a level may have, ascending, and the place of each one's parent."""
        child = CHILD_LEVEL[level]
        width = level - child
        if child == LOWEST_LISTED_LEVEL:
            children = self.listed[child]
            children = children[_is_in(children >> width, parents)]
            return children, parents.searchsorted(children >> width)
        children = ((parents << width)[:, None] + np.arange(1 << width)).ravel()
        return children, np.arange(len(parents)).repeat(1 << width)


_NONE: Indexes = np.zeros(0, np.int64)


def _is_in(indexes: Indexes, known: Indexes) -> NDArray[np.bool_]:
    if not len(known):
        return np.zeros(len(indexes), np.bool_)
    is_in: NDArray[np.bool_] = known.take(known.searchsorted(indexes), mode="clip") == indexes
    return is_in
