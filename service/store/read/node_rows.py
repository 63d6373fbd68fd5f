"""Decodes the strings of nodes into whole numbers: the rows of users, and entries. Pure, no I/O.

A user has COLUMNS cells: a number for each status, then the bytes of input in words of weight 1, 2^32 and 2^64. The
words of all nodes of a cover add up to far less than a machine word holds.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.store.layout.nodes import ENTRY_BYTES, ROW_BYTES
from service.store.layout.widths import ENTRY_FIELDS, ROW_FIELDS
from service.store.read.users import Numbers, Places, Users
from service.store.redis.views import DamagedError

STATUSES = 6
LOW, MIDDLE, HIGH, COLUMNS = 6, 7, 8, 9
_NARROW = b"r"
_BYTE, _USER, _SEVEN_BYTES = np.uint64(8), np.uint64((1 << 48) - 1), np.uint64((1 << 56) - 1)
_THREE_BYTES = np.uint32((1 << 24) - 1)


class Rows(NamedTuple):
    """Cells of users, who have one row each: of those at these places or, where `places` is None, of every user."""

    cells: NDArray[np.int64] | NDArray[np.uint32]
    places: Places | None = None

    @property
    def size_bytes(self) -> int:
        """Returns the bytes that the numbers take."""
        return self.cells.nbytes + (0 if self.places is None else self.places.nbytes)


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


def parse_entries(packed: bytes) -> NDArray[np.void]:
    """Returns packed entries, given without the marker of a leaf, as items for the functions below."""
    return np.frombuffer(packed, _ENTRY)


def starts_ms(entries: NDArray[np.void]) -> Numbers:
    """Returns the start of each entry."""
    starts: Numbers = (_column(entries, "start") & _SEVEN_BYTES).view(np.int64)
    return starts


def add_entries(total: Numbers, entries: NDArray[np.void], sign: int, users: Users) -> None:
    """Adds entries to the cells of their users, or by the sign subtracts them. Raises DamagedError."""
    statuses = _column(entries, "status")
    if statuses.max(initial=0) >= STATUSES:
        raise DamagedError("n", "has a leaf with a job in no status")
    at = users.places((_column(entries, "user") >> _BYTE & _USER).view(np.int64)) * COLUMNS
    cells, change = total.reshape(-1), np.add if sign > 0 else np.subtract
    change.at(cells, at + statuses, 1)
    change.at(cells, at + LOW, _column(entries, "low").astype(np.int64))
    change.at(cells, at + MIDDLE, (_column(entries, "middle") & _THREE_BYTES).astype(np.int64))


def _column(items: NDArray[np.void], name: str) -> NDArray[Any]:
    column: NDArray[Any] = items[name]
    return column
