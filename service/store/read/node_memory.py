"""Remembers what nodes say, decoded for the users of their projects: most of a tree does not change between questions.

Pure, no I/O.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from service.store.layout.nodes import has_rows
from service.store.read.answer_cache import Stamp
from service.store.read.bounded import Bounded
from service.store.read.node_rows import COLUMNS, SMALL_USERS, Entries, Rows, parse_entries, parse_rows
from service.store.read.users import Users

_DENSE = 4  # in a project of many users, nodes with rows have one for every user if they are of so large a part of them
_NODE_BYTES = 620  # that a node takes beside its string and its arrays: its key, a stamp, and objects


Node: TypeAlias = Rows | Entries | None
"""What a node says; None: it is not there."""


@dataclass(slots=True)
class _Remembered:
    """A node's string, what it says to the users with this number, and the stamp that the project had last with it."""

    string: bytes | None
    users: int
    node: Node
    stamp: Stamp


class NodeMemory:
    """Decodes nodes for one reader, and remembers those that it was asked for last, up to `max_bytes` bytes.

    What is remembered of a node counts while its string is the same, byte by byte, or the stamp of its project.
    """

    def __init__(self, max_bytes: int) -> None:
        self._nodes: Bounded[str, _Remembered] = Bounded(max_bytes)

    @property
    def size_bytes(self) -> int:
        """Returns how many bytes are taken now."""
        return self._nodes.size_bytes

    def nodes(self, keys: Sequence[str], strings: Iterable[bytes | None], users: Users, stamp: Stamp) -> list[Node]:
        """Returns what the nodes under these keys say, whose strings were read with this stamp. Raises DamagedError."""
        return [self._node(key, string, users, stamp) for key, string in zip(keys, strings, strict=True)]

    def held(self, keys: Iterable[str], users: Users, stamp: Stamp) -> list[Node] | None:
        """Returns what the nodes said with this stamp, the very object; None unless all of them are remembered."""
        nodes, get, number = [], self._nodes.get, users.number
        for key in keys:
            known = get(key)
            if known is None or known.stamp is not stamp or known.users != number:
                return None
            nodes.append(known.node)
        return nodes

    def _node(self, key: str, string: bytes | None, users: Users, stamp: Stamp) -> Node:
        known = self._nodes.get(key)
        if known is not None and known.users == users.number and known.string == string:
            known.stamp = stamp
            return known.node
        node = _decode(string, users)
        taken_bytes = len(string or b"") + (0 if node is None else node.size_bytes)
        self._nodes.put(key, _Remembered(string, users.number, node, stamp), _NODE_BYTES + taken_bytes)
        return node


def _decode(string: bytes | None, users: Users) -> Node:
    if not string:
        return None
    return _rows(string, users) if has_rows(string) else parse_entries(string[1:], users)


def _rows(string: bytes, users: Users) -> Rows:
    keys, some = parse_rows(string)
    places = users.places(keys)
    is_small = len(users) <= SMALL_USERS
    if not is_small and len(places) * _DENSE < len(users):
        return Rows(some, places)
    # large projects: half the memory of wider numbers
    cells = np.zeros((len(users), COLUMNS), np.int64 if is_small else np.uint32)
    cells[places] = some
    return Rows(cells)
