"""Checks what was read against the shape, before an answer is made from it. Pure, no I/O.

It finds keys that are missing and strings that no writer leaves. MGET replies to a key of another type as to one that
is missing. So a damaged project gets no answer rather than a wrong one.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import TypeVar

from service.store.layout.nodes import ENTRY_BYTES, LEAF_JOBS, ROW_BYTES
from service.store.layout.projects import LISTED_LEAF
from service.store.layout.tree import CHILD_LEVEL, LOWEST_LISTED_LEVEL, TOP_LEVEL, Shape
from service.store.read.cover import Cover
from service.store.redis.views import DamagedError

Parsed = TypeVar("Parsed")

_LEAF = ord("L")
_ITEM_BYTES = {_LEAF: ENTRY_BYTES, **{ord(marker): width for marker, width in ROW_BYTES.items()}}
_MAX_LEAF_BYTES = 1 + LEAF_JOBS * ENTRY_BYTES
_SHAPE_LEVELS = {*CHILD_LEVEL, TOP_LEVEL + LISTED_LEAF, LOWEST_LISTED_LEVEL + LISTED_LEAF}


def parsed(key: str, parse: Callable[[bytes], Parsed], data: bytes) -> Parsed:
    """Returns what `parse` makes of a key's string; raises DamagedError if `parse` cannot read it."""
    try:
        return parse(data)
    except (struct.error, ValueError, IndexError) as error:
        raise DamagedError(key, f"cannot be read: {error}") from error


def check_shape(key: str, entries: Iterable[tuple[int, int]]) -> None:
    """Raises DamagedError unless all entries of a shape are of levels that shapes list."""
    if strange := {level for level, _ in entries} - _SHAPE_LEVELS:
        raise DamagedError(key, f"lists nodes of the levels {sorted(strange)}")


def check_nodes(prefix: str, shape: Shape, asked: Cover, strings: Sequence[bytes | None]) -> None:
    """Raises DamagedError unless the strings of a cover, in its order, are as the shape of the same instant says.

    Nodes in the shape must be there. Inner nodes must hold rows; other nodes must be leaves, or of level 0 and hold
    rows. Nodes below level 36 that are not inner may be missing, as a node has no key before it holds a job.
    """
    inner, at = shape.inner, 0
    runs = chain(asked.added, asked.taken, ((cut.node[0], cut.node[1:]) for cut in asked.cuts))
    for level, indexes in runs:
        for index in indexes:
            string = strings[at]
            at += 1
            is_inner = (level, index) in inner
            if not string:
                if string is None and not is_inner and level < LOWEST_LISTED_LEVEL:
                    continue
                raise DamagedError(f"{prefix}n:{level}:{index}", "is in the shape, and is not there")
            marker, size = string[0], len(string)
            if size % _ITEM_BYTES.get(marker, 1) != 1:
                raise DamagedError(f"{prefix}n:{level}:{index}", "is not a node")
            if (marker == _LEAF) == (is_inner or level == 0):
                what = "a leaf" if marker == _LEAF else "inner"
                raise DamagedError(f"{prefix}n:{level}:{index}", f"is {what}, unlike the shape")
            if marker == _LEAF and size > _MAX_LEAF_BYTES:
                raise DamagedError(f"{prefix}n:{level}:{index}", "has more jobs than a leaf can hold")
