"""Sums the strings of a cover into counts and bytes per user. Pure, no I/O."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from types import EllipsisType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.store.cover import Part, Term
from service.store.layout import ENTRY_BYTES, ROW_BYTES

# numbers of 6, 7 and 10 bytes in the widths that numpy has
_ROW = {
    b"r": np.dtype(
        [("user", "<u4"), ("user_high", "<u2"), ("counts", "u1", 6), ("low", "<u4"), ("middle", "<u2"), ("high", "u1")]
    ),
    b"R": np.dtype(
        [
            ("user", "<u4"),
            ("user_high", "<u2"),
            ("counts", "<u4", 6),
            ("low", "<u4"),
            ("middle", "<u4"),
            ("high", "<u2"),
        ]
    ),
}
_MIDDLE_BITS = {b"r": 16, b"R": 32}
_ENTRY = np.dtype(
    [
        *[("start", "<u4"), ("start_middle", "<u2"), ("start_high", "u1")],
        *[("low", "<u4"), ("middle", "<u2"), ("high", "u1")],
        *[("user", "<u4"), ("user_high", "<u2"), ("status", "u1")],
    ]
)
_STATUSES = 6
_USER_OFFSET = {**dict.fromkeys(ROW_BYTES.values(), 0), ENTRY_BYTES: 14}


# Sums are matrices of one row per user: jobs by status rank, then the bytes in words of weight 1, 2^32 and 2^64.
Matrix = NDArray[np.int64]
_LOW, _MIDDLE, _HIGH, _COLUMNS = _STATUSES, _STATUSES + 1, _STATUSES + 2, _STATUSES + 3

# What whole strings of small projects sum up to is remembered: most of a tree does not change between questions.
_SMALL_USERS = 128
_SMALL_STRING_BYTES = 4_096
_SMALL_NODES = 8_192
_LEAVES = 4_096


class UnknownUserError(Exception):
    """A string counts jobs of a user who is not among those of its project: the store has drifted."""


class Users:
    """Keys of users as numbers, ascending."""

    def __init__(self, keys: list[int]) -> None:
        self.keys = np.array(keys, np.uint64)

    def __len__(self) -> int:
        return len(self.keys)

    def positions(self, items: NDArray[np.void]) -> NDArray[np.intp]:
        """Where the users of these rows or entries stand; raises UnknownUserError."""
        keys = items["user"] | items["user_high"].astype(np.uint64) << np.uint64(32)
        positions: NDArray[np.intp] = np.searchsorted(self.keys, keys)
        if len(keys) and (not len(self.keys) or (self.keys.take(positions, mode="clip") != keys).any()):
            raise UnknownUserError
        return positions


class _Leaf(NamedTuple):
    """A leaf's entries: start, position of the user, cell of user and status, and words of the bytes.

    The words are doubles, as weights must be: exact for the few entries of a leaf.
    """

    starts: NDArray[np.int64]
    at: NDArray[np.intp]
    cells: NDArray[np.intp]
    low: NDArray[np.float64]
    middle: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sums:
    """Per user, in the order of the users asked for, jobs by status rank and bytes."""

    counts: Matrix
    size_bytes: list[int]  # exact: they exceed what a machine word holds


def sum_terms(
    terms: Iterable[Term], strings: Iterable[bytes | None], interval: range, users: Users, user: bytes | None
) -> Sums:
    """The sums over the terms of a cover and their strings (None: nothing there), of all users or of one.

    Raises UnknownUserError.
    """
    matrix = _zeros(users)
    is_small = len(users) <= _SMALL_USERS and user is None
    for (_, sign, part), whole in zip(terms, strings, strict=True):
        if not whole:
            continue
        string = whole if user is None else _only_user_of(whole, user)
        if part is Part.INSIDE or part is Part.OUTSIDE:
            leaf = _known_leaf(users, string) if user is None else _leaf(users, string)
            inside = (leaf.starts >= interval.start) & (leaf.starts < interval.stop)
            _add_entries(matrix, leaf, sign, inside if part is Part.INSIDE else ~inside)
        elif is_small and len(string) <= _SMALL_STRING_BYTES:
            matrix += sign * _known_node(users, string)
        else:
            _add(matrix, string, sign, users)
    words = zip(*[matrix[:, column].tolist() for column in (_LOW, _MIDDLE, _HIGH)], strict=True)
    return Sums(matrix[:, :_STATUSES], [low + (middle << 32) + (high << 64) for low, middle, high in words])


def _zeros(users: Users) -> Matrix:
    return np.zeros((len(users), _COLUMNS), np.int64)


@lru_cache(maxsize=_SMALL_NODES)
def _known_node(users: Users, string: bytes) -> Matrix:
    matrix = _zeros(users)
    _add(matrix, string, 1, users)
    return matrix


def _leaf(users: Users, string: bytes) -> _Leaf:
    entries = np.frombuffer(string, _ENTRY, offset=1)
    at = users.positions(entries)
    return _Leaf(
        entries["start"]
        | entries["start_middle"].astype(np.int64) << 32
        | entries["start_high"].astype(np.int64) << 48,
        at,
        at * _STATUSES + entries["status"],
        entries["low"].astype(np.float64),
        (entries["middle"] | entries["high"].astype(np.int64) << 16).astype(np.float64),
    )


_known_leaf = lru_cache(maxsize=_LEAVES)(_leaf)


def _add(matrix: Matrix, string: bytes, sign: int, users: Users) -> None:
    marker = string[:1]
    if marker in ROW_BYTES:
        _add_rows(matrix, np.frombuffer(string, _ROW[marker], offset=1), _MIDDLE_BITS[marker], sign, users)
    else:
        _add_entries(matrix, _leaf(users, string), sign, ...)


def _add_rows(matrix: Matrix, rows: NDArray[np.void], middle_bits: int, sign: int, users: Users) -> None:
    at = users.positions(rows)  # no user twice, so indexing adds each row
    matrix[at, :_STATUSES] += sign * rows["counts"].astype(np.int64)
    matrix[at, _LOW] += sign * rows["low"].astype(np.int64)
    if middle_bits == 32:
        matrix[at, _MIDDLE] += sign * rows["middle"].astype(np.int64)
        matrix[at, _HIGH] += sign * rows["high"].astype(np.int64)
    else:
        matrix[at, _MIDDLE] += sign * (rows["middle"] | rows["high"].astype(np.int64) << middle_bits)


def _add_entries(matrix: Matrix, leaf: _Leaf, sign: int, wanted: NDArray[np.bool_] | EllipsisType) -> None:
    size, at = len(matrix), leaf.at[wanted]
    counts = np.bincount(leaf.cells[wanted], minlength=size * _STATUSES)
    matrix[:, :_STATUSES] += sign * counts.reshape(size, _STATUSES)
    matrix[:, _LOW] += sign * np.bincount(at, leaf.low[wanted], size).astype(np.int64)
    matrix[:, _MIDDLE] += sign * np.bincount(at, leaf.middle[wanted], size).astype(np.int64)


def _only_user_of(string: bytes, user: bytes) -> bytes:
    return string[:1] + only_user(string[1:], ROW_BYTES.get(string[:1], ENTRY_BYTES), user)


def only_user(items: bytes, width: int, user: bytes) -> bytes:
    """Of a string of fixed-width items without its marker, those of one user."""
    offset = _USER_OFFSET[width]
    found = []
    at = items.find(user)
    while at >= 0:
        if (at - offset) % width == 0:
            found.append(items[at - offset : at - offset + width])
        at = items.find(user, at + 1)
    return b"".join(found)
