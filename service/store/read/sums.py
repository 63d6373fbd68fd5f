"""Sums the strings of a cover into counts and bytes per user. Pure, no I/O.

Each string becomes a vector: for each user a cell for each status, then the bytes in words of weight 1, 2^32 and 2^64.
Cells are doubles, since one product with a matrix of weights then parses packed numbers of any width. Doubles are exact
for whole numbers below 2^53, which is more than the words of all nodes of a cover add up to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from service.store.layout import widths
from service.store.layout.nodes import ENTRY_BYTES, ROW_BYTES
from service.store.read.cover import Cut
from service.store.redis.views import DamagedError

Vector = NDArray[np.float64]

_STATUSES = 6
_LOW, _MIDDLE, _COLUMNS = 6, 7, 9
_HALF_WORD = 1 << 30  # a middle word below this, shifted by 32 bits and with the low word added, fits into 63 bits
_USER_OFFSET = {**dict.fromkeys(ROW_BYTES.values(), 0), ENTRY_BYTES: widths.USER_IN_ENTRY}

# The vectors of whole strings of small projects are remembered: most of a tree does not change between questions.
_SMALL_USERS = 64
_SMALL_NODES = 8_192


def _weights(*sizes: int) -> Vector:
    """Returns the matrix that turns bytes into little-endian numbers of these sizes in bytes."""
    matrix = np.zeros((sum(sizes), len(sizes)))
    at = 0
    for column, width in enumerate(sizes):
        matrix[at : at + width, column] = 256.0 ** np.arange(width)
        at += width
    return matrix


_ROW_WEIGHTS = {marker: _weights(*row) for marker, row in widths.ROW_WIDTHS.items()}
_ENTRY_WEIGHTS = _weights(*widths.ENTRY_WIDTHS)


class UnknownUserError(DamagedError):
    """A node counts jobs of a user that is not among the users of its project."""

    def __init__(self) -> None:
        super().__init__("u", "lacks a user who has jobs")


class Users:
    """The user keys of a project as numbers, ascending; it finds the position of each in the vectors."""

    def __init__(self, keys: Sequence[int] | NDArray[np.uint64]) -> None:
        self._keys = np.array(keys, np.float64)  # 48 bits: exact

    def __len__(self) -> int:
        return len(self._keys)

    def positions(self, keys: Vector) -> NDArray[np.intp]:
        """Returns the positions of the users with these keys; raises UnknownUserError."""
        positions: NDArray[np.intp] = self._keys.searchsorted(keys)
        if len(keys) and (not len(self) or np.count_nonzero(self._keys.take(positions, mode="clip") != keys)):
            raise UnknownUserError
        return positions


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums of each user, in the order of the users asked for: jobs by status rank, and bytes of input."""

    counts: NDArray[np.int64]
    size_bytes: NDArray[np.int64] | NDArray[np.object_]  # exact: Python integers where one exceeds a machine word


class Summing:
    """Adds up the strings of nodes: for all users or, with a user key, for that user. Methods raise DamagedError."""

    def __init__(self, users: Users, user: bytes | None) -> None:
        self._users = users
        self._user = user
        self._total = np.zeros((len(users), _COLUMNS))
        self._is_small = user is None and len(users) <= _SMALL_USERS

    def add(self, strings: Sequence[bytes | None], sign: int) -> None:
        """Adds whole nodes, or by the sign subtracts them; None is a node that is not there."""
        total, users = self._total, self._users
        if self._is_small:
            change = total.__iadd__ if sign > 0 else total.__isub__
            for string in strings:
                if string:
                    change(_small_node(users, string))
            return
        for string in strings:
            if string:
                _add(total, self._only_asked(string), sign, users)

    def add_parts(self, cuts: Sequence[Cut], strings: Sequence[bytes | None], interval: range) -> None:
        """Adds, or by the sign subtracts, the entries that count of the leaves that the interval's edges cut."""
        pairs = [(cut, self._only_asked(string)) for cut, string in zip(cuts, strings, strict=True) if string]
        entries = _unpack(b"".join([string[1:] for _, string in pairs]), _ENTRY_WEIGHTS)
        starts = entries[:, widths.START]
        counted = (starts >= interval.start) & (starts < interval.stop)
        signs = np.ones(len(entries))
        first = 0
        for cut, string in pairs:
            last = first + len(string) // ENTRY_BYTES
            if not cut.inside:
                counted[first:last] ^= True
            signs[first:last] = cut.sign
            first = last
        _add_entries(self._total, entries[counted], signs[counted], self._users)

    def result(self) -> Sums:
        """Returns the sums of what was added."""
        whole = self._total.astype(np.int64)
        low, middle, high = whole[:, _LOW:].T
        if high.any() or (middle >= _HALF_WORD).any():
            low, middle, high = low.astype(object), middle.astype(object), high.astype(object)
            size_bytes = low + (middle << 32) + (high << 64)
        else:
            size_bytes = low + (middle << 32)
        if (whole[:, :_STATUSES] < 0).any() or (size_bytes < 0).any():
            raise DamagedError("n", "has a node that counts less than is taken off it")
        return Sums(whole[:, :_STATUSES], size_bytes)

    def _only_asked(self, string: bytes) -> bytes:
        if self._user is None:
            return string
        return string[:1] + only_user(string[1:], ROW_BYTES.get(string[:1], ENTRY_BYTES), self._user)


@lru_cache(maxsize=_SMALL_NODES)
def _small_node(users: Users, string: bytes) -> Vector:
    vector = np.zeros((len(users), _COLUMNS))
    _add(vector, string, 1, users)
    return vector


def _unpack(items: bytes, weights: Vector) -> Vector:
    """Returns the numbers of each item."""
    packed = np.frombuffer(items, np.uint8).reshape(-1, len(weights))
    return packed.astype(np.float64) @ weights


def _add(total: Vector, string: bytes, sign: int, users: Users) -> None:
    weights = _ROW_WEIGHTS.get(string[:1])
    if weights is None:
        entries = _unpack(string[1:], _ENTRY_WEIGHTS)
        _add_entries(total, entries, np.full(len(entries), sign), users)
        return
    rows = _unpack(string[1:], weights)
    values = rows[:, 1:]
    at = users.positions(rows[:, 0])  # a user has one row, so += by index adds each row
    total[at, : values.shape[1]] += values if sign > 0 else -values


def _add_entries(total: Vector, entries: Vector, signs: Vector, users: Users) -> None:
    if (entries[:, widths.STATUS] >= _STATUSES).any():
        raise DamagedError("n", "has a leaf with a job in no status")
    at = users.positions(entries[:, widths.USER]) * _COLUMNS
    cells = np.concatenate((at + entries[:, widths.STATUS].astype(np.intp), at + _LOW, at + _MIDDLE))
    amounts = np.concatenate((signs, entries[:, widths.SIZE_LOW] * signs, entries[:, widths.SIZE_HIGH] * signs))
    total += np.bincount(cells, amounts, total.size).reshape(total.shape)


def only_user(items: bytes, width: int, user: bytes) -> bytes:
    """Returns the items of one user from a node's items of this width, without the marker."""
    offset = _USER_OFFSET[width]
    found = []
    at = items.find(user)
    while at >= 0:
        if (at - offset) % width == 0:
            found.append(items[at - offset : at - offset + width])
        at = items.find(user, at + 1)
    return b"".join(found)
