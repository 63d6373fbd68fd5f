"""Sums the strings of a cover into counts and bytes per user. Pure, no I/O."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.store.cover import Part, Term
from service.store.layout import ENTRY_BYTES, ROW_BYTES

Users = NDArray[np.uint64]
"""User keys as numbers, ascending."""

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


class UnknownUserError(Exception):
    """A string counts jobs of a user who is not among those of its project: the store has drifted."""


@dataclass(slots=True)
class Sums:
    """Per user, in the order of the users asked for: jobs by status rank, and bytes in words below and above 2^32."""

    counts: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]

    @property
    def size_bytes(self) -> list[int]:
        """Bytes per user, exact: they exceed what a machine word holds."""
        return [low + (high << 32) for low, high in zip(self.low.tolist(), self.high.tolist(), strict=True)]


def sum_terms(
    terms: Iterable[Term], strings: Iterable[bytes | None], interval: range, users: Users, user: bytes | None
) -> Sums:
    """The sums over the terms of a cover and their strings (None: nothing there), of all users or of one.

    Raises UnknownUserError.
    """
    size = len(users)
    sums = Sums(np.zeros((size, _STATUSES), np.int64), np.zeros(size, np.int64), np.zeros(size, np.int64))
    entries: dict[int, list[bytes]] = {1: [], -1: []}
    for (_, sign, part), string in zip(terms, strings, strict=True):
        if not string:
            continue
        marker, items = string[:1], string[1:]
        if user is not None:
            items = only_user(items, ROW_BYTES.get(marker, ENTRY_BYTES), user)
        if part is Part.ROWS:
            _add_rows(sums, np.frombuffer(items, _ROW[marker]), _MIDDLE_BITS[marker], sign, users)
        elif part is Part.ENTRIES:
            entries[sign].append(items)
        else:
            entries[sign].append(_cut(items, interval, inside=part is Part.INSIDE))
    for sign, group in entries.items():
        if group:
            _add_entries(sums, np.frombuffer(b"".join(group), _ENTRY), sign, users)
    return sums


def _positions(items: NDArray[np.void], users: Users) -> NDArray[np.intp]:
    keys = items["user"] | items["user_high"].astype(np.uint64) << np.uint64(32)
    positions: NDArray[np.intp] = np.searchsorted(users, keys)
    if len(keys) and (not len(users) or not np.array_equal(users.take(positions, mode="clip"), keys)):
        raise UnknownUserError
    return positions


def _add_rows(sums: Sums, rows: NDArray[np.void], middle_bits: int, sign: int, users: Users) -> None:
    at = _positions(rows, users)  # no user twice, so indexing adds each row
    sums.counts[at] += sign * rows["counts"].astype(np.int64)
    sums.low[at] += sign * rows["low"].astype(np.int64)
    sums.high[at] += sign * (rows["middle"] | rows["high"].astype(np.int64) << middle_bits)


def _add_entries(sums: Sums, entries: NDArray[np.void], sign: int, users: Users) -> None:
    at, size = _positions(entries, users), len(users)
    counts = np.bincount(at * _STATUSES + entries["status"], minlength=size * _STATUSES)
    sums.counts += sign * counts.reshape(size, _STATUSES)
    # weights are doubles: exact, as a cover has far fewer than 2^21 entries
    high = entries["middle"] | entries["high"].astype(np.int64) << 16
    sums.low += sign * np.bincount(at, entries["low"], size).astype(np.int64)
    sums.high += sign * np.bincount(at, high, size).astype(np.int64)


def _cut(items: bytes, interval: range, *, inside: bool) -> bytes:
    """The entries that start in the interval, or those that do not."""
    entries = np.frombuffer(items, _ENTRY)
    starts = (
        entries["start"] | entries["start_middle"].astype(np.int64) << 32 | entries["start_high"].astype(np.int64) << 48
    )
    wanted: NDArray[np.void] = entries[((starts >= interval.start) & (starts < interval.stop)) == inside]
    return wanted.tobytes()


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
