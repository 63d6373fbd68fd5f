"""Decodes the strings of nodes into whole numbers: the rows of users, and entries. Pure, no I/O.

A user has COLUMNS cells: a number for each status, then the bytes of input in words of weight 1, 2^32 and 2^64. The
words of all nodes of a cover add up to far less than a machine word holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.store.layout.nodes import ENTRY_BYTES, ROW_BYTES
from service.store.layout.widths import ENTRY_FIELDS, ROW_FIELDS
from service.store.read.users import Numbers, Places, Users
from service.store.redis.views import DamagedError

STATUSES = 6
LOW, MIDDLE, HIGH, COLUMNS = 6, 7, 8, 9
_ARRAY_BYTES = 110  # that an array takes beside its numbers
SMALL_USERS = 64
"""In a project with no more users, whole nodes are added with a row for every user."""
THREE = 3  # cells that an entry adds to: its status, and two words of its size
_NARROW = b"r"
_BYTE, _USER, _SEVEN_BYTES = np.uint64(8), np.uint64((1 << 48) - 1), np.uint64((1 << 56) - 1)
_THREE_BYTES = np.uint32((1 << 24) - 1)


class Rows(NamedTuple):
    """Cells of users, who have one row each: of those at these places or, where `places` is None, of every user."""

    cells: NDArray[np.int64] | NDArray[np.uint32]
    places: Places | None = None

    @property
    def size_bytes(self) -> int:
        """Returns the bytes that the arrays take."""
        places_bytes = 0 if self.places is None else self.places.nbytes + _ARRAY_BYTES
        return self.cells.nbytes + _ARRAY_BYTES + places_bytes

    def add(self, total: Numbers, sign: int) -> None:
        """Adds the rows to the cells of all users, or by the sign subtracts them."""
        change = np.add if sign > 0 else np.subtract
        if self.places is None:
            change(total, self.cells, total)
        else:
            some = total.take(self.places, 0)  # half the time of += with an index
            total[self.places] = change(some, self.cells, some)


@dataclass(slots=True)
class Entries:
    """The entries of a leaf, in the order of their starts: the cells that each adds to, and the numbers that it adds.

    Each has THREE of both; cells are counted through all rows of all users. Where there are few users, the sums of all
    entries are added faster: these are made when they are first needed.
    """

    starts_ms: Numbers
    cells: Places
    numbers: Numbers
    users: int
    _sums: Rows | None = None

    @property
    def size_bytes(self) -> int:
        """Returns the bytes that the arrays take, with sums that are not made yet; two are views of others."""
        sums_bytes = 8 * COLUMNS * self.users + 2 * _ARRAY_BYTES if self.users <= SMALL_USERS else 0
        return self.starts_ms.nbytes + self.cells.nbytes + self.numbers.nbytes + 5 * _ARRAY_BYTES + sums_bytes

    def add(self, total: Numbers, sign: int) -> None:
        """Adds all entries to the cells of all users, or by the sign subtracts them."""
        if self._sums is None and self.users <= SMALL_USERS:
            sums = np.zeros((self.users, COLUMNS), np.int64)
            self._add(sums, 1, 0, len(self.starts_ms))
            self._sums = Rows(sums)
        if self._sums is None:
            self._add(total, sign, 0, len(self.starts_ms))
        else:
            self._sums.add(total, sign)

    def add_part(self, total: Numbers, sign: int, edges_ms: Numbers, *, inside: bool) -> None:
        """Adds, or by the sign subtracts, those that start in the interval between two edges, or outside of it."""
        first, last = self.starts_ms.searchsorted(edges_ms).tolist()
        if inside:
            self._add(total, sign, first, last)
        else:
            self._add(total, sign, 0, first)
            self._add(total, sign, last, len(self.starts_ms))

    def _add(self, total: Numbers, sign: int, first: int, last: int) -> None:
        if first < last:
            part = slice(first * THREE, last * THREE)
            change = np.add if sign > 0 else np.subtract
            change.at(total.reshape(-1), self.cells[part], self.numbers[part])


def _item_type(fields: Mapping[str, tuple[str, int]], size_bytes: int) -> "np.dtype[np.void]":
    formats, offsets = zip(*fields.values(), strict=True)
    return np.dtype({"names": list(fields), "formats": formats, "offsets": offsets, "itemsize": size_bytes})


_ENTRY = _item_type(ENTRY_FIELDS, ENTRY_BYTES)
_ROWS = {marker: _item_type(fields, ROW_BYTES[marker]) for marker, fields in ROW_FIELDS.items()}


def parse_rows(string: bytes) -> tuple[Numbers, NDArray[np.uint32]]:
    """Returns the user keys and the cells of the rows in a node's string."""
    marker = string[:1]
    rows: NDArray[Any] = np.frombuffer(string, _ROWS[marker], offset=1)
    cells = np.zeros((len(rows), COLUMNS), np.uint32)
    cells[:, :STATUSES], cells[:, LOW] = rows["jobs"], rows["low"]
    if marker == _NARROW:
        cells[:, MIDDLE] = rows["middle"] >> 8
    else:
        cells[:, MIDDLE], cells[:, HIGH] = rows["middle"], rows["high"]
    return (rows["user"] & _USER).view(np.int64), cells


def parse_entries(packed: bytes, users: Users) -> Entries:
    """Returns packed entries, given without the marker of a leaf. Raises DamagedError."""
    items = np.frombuffer(packed, _ENTRY)
    statuses = _column(items, "status")
    if statuses.max(initial=0) >= STATUSES:
        raise DamagedError("n", "has a leaf with a job in no status")
    at = users.places((_column(items, "user") >> _BYTE & _USER).view(np.int64)) * COLUMNS
    cells, numbers = np.empty((len(items), THREE), np.intp), np.ones((len(items), THREE), np.int64)
    cells[:, 0], cells[:, 1], cells[:, 2] = at + statuses, at + LOW, at + MIDDLE
    numbers[:, 1], numbers[:, 2] = _column(items, "low"), _column(items, "middle") & _THREE_BYTES
    starts_ms = (_column(items, "start") & _SEVEN_BYTES).view(np.int64)
    order = starts_ms.argsort()
    return Entries(starts_ms[order], cells[order].reshape(-1), numbers[order].reshape(-1), len(users))


def _column(items: NDArray[np.void], name: str) -> NDArray[Any]:
    column: NDArray[Any] = items[name]
    return column
