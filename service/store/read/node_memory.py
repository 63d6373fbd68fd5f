"""Remembers what nodes say, decoded for the users of their projects: most of a tree does not change between questions.

Pure, no I/O.
"""

import numpy as np

from service.store.layout.nodes import has_rows
from service.store.read.bounded import Bounded
from service.store.read.node_rows import COLUMNS, Entries, Rows, parse_entries, parse_rows
from service.store.read.users import Users

_SMALL_USERS = 64  # in a project with no more users, nodes with rows have one for every user
_DENSE = 4  # in a larger one, those that have rows of so large a part of them
_NODE_BYTES = 620  # that a node takes beside its string and its numbers: its key, and objects


class NodeMemory:
    """Decodes nodes for one reader, and remembers those that it was asked for last, up to `max_bytes` bytes.

    What is remembered of a node counts only while its string is the same, byte by byte.
    """

    def __init__(self, max_bytes: int) -> None:
        self._nodes: Bounded[str, tuple[bytes, int, Rows | Entries]] = Bounded(max_bytes)

    @property
    def size_bytes(self) -> int:
        """Returns how many bytes are taken now."""
        return self._nodes.size_bytes

    def node(self, key: str, string: bytes, users: Users) -> Rows | Entries:
        """Returns what the node under a key says: entries if it is a leaf. Raises DamagedError."""
        known = self._nodes.get(key)
        if known is not None and known[1] == users.number and known[0] == string:
            return known[2]
        node = _rows(string, users) if has_rows(string) else parse_entries(string[1:], users)
        self._nodes.put(key, (string, users.number, node), _NODE_BYTES + len(string) + node.size_bytes)
        return node


def _rows(string: bytes, users: Users) -> Rows:
    keys, some = parse_rows(string)
    places = users.places(keys)
    is_small = len(users) <= _SMALL_USERS
    if not is_small and len(places) * _DENSE < len(users):
        return Rows(some, places)
    # large projects: half the memory of wider numbers
    cells = np.zeros((len(users), COLUMNS), np.int64 if is_small else np.uint32)
    cells[places] = some
    return Rows(cells)
