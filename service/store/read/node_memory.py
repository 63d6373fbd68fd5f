"""Remembers what nodes say, decoded for the users of their projects: most of a tree does not change between questions.

Pure, no I/O.
"""

import numpy as np

from service.store.layout.nodes import has_rows
from service.store.read.bounded import Bounded
from service.store.read.node_rows import COLUMNS, Rows, add_entries, parse_entries, parse_rows
from service.store.read.users import Users

_SMALL_USERS = 64  # in a project with no more users, all nodes are remembered, with a row for every user
_DENSE = 4  # in a larger one, those with rows have a row for every user if they have rows of so large a part of them
_NODE_BYTES = 620  # that a node takes beside its string and its cells: its key, and objects


class NodeMemory:
    """Decodes nodes for one reader, and remembers those that it was asked for last, up to `max_bytes` bytes.

    What is remembered of a node counts only while its string is the same, byte by byte.
    """

    def __init__(self, max_bytes: int) -> None:
        self._nodes: Bounded[str, tuple[bytes, int, Rows]] = Bounded(max_bytes)

    @property
    def size_bytes(self) -> int:
        """Returns how many bytes are taken now."""
        return self._nodes.size_bytes

    def rows(self, key: str, string: bytes, users: Users) -> Rows | None:
        """Returns the rows of the node under a key; None for a leaf of a project with many users.

        Such a leaf has few jobs beside the users: to decode it with others is as fast as to remember it.
        Raises DamagedError.
        """
        known = self._nodes.get(key)
        if known is not None and known[1] == users.number and known[0] == string:
            return known[2]
        is_small = len(users) <= _SMALL_USERS
        if not is_small and not has_rows(string):
            return None
        rows = _small(string, users) if is_small else _large(string, users)
        self._nodes.put(key, (string, users.number, rows), _NODE_BYTES + len(string) + rows.size_bytes)
        return rows


def _small(string: bytes, users: Users) -> Rows:
    cells = np.zeros((len(users), COLUMNS), np.int64)
    if has_rows(string):
        keys, some = parse_rows(string)
        cells[users.places(keys)] = some
    else:
        add_entries(cells, parse_entries(string[1:]), 1, users)
    return Rows(cells)


def _large(string: bytes, users: Users) -> Rows:
    keys, some = parse_rows(string)
    places = users.places(keys)
    if len(places) * _DENSE < len(users):
        return Rows(some, places)
    cells = np.zeros((len(users), COLUMNS), np.uint32)  # half the memory of wider numbers
    cells[places] = some
    return Rows(cells)
