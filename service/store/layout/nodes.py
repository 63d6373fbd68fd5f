"""Packs and parses the strings of nodes: the entries of leaves, and rows. Pure; docs/store.md describes each byte."""

from collections.abc import Iterable, Iterator
from struct import Struct
from typing import NamedTuple

LEAF_JOBS = 128  # a leaf with more of them splits

_LEAF = b"L"
_ENTRY = Struct("<7s7s6sB")
# by the marker that a node's string begins with: all rows of a node are narrow (r), or all are wide (R)
_ROWS = {b"r": Struct("<6s6B7s"), b"R": Struct("<6s6I10s")}
ENTRY_BYTES = _ENTRY.size
ROW_BYTES = {marker: row.size for marker, row in _ROWS.items()}
_SUM_BYTES = {b"r": 7, b"R": 10}  # width of the sum of a user's bytes of input, the last item of a row
_NARROW_JOBS, _NARROW_BYTES = 1 << 8, 1 << 56


class Entry(NamedTuple):
    """An entry: what one job adds to a leaf. `user` is a user key."""

    start_ms: int
    size_bytes: int
    user: bytes
    status: int


class Row(NamedTuple):
    """A row: the sums of one user, numbers of jobs by status and bytes of input. `user` is a user key."""

    user: bytes
    jobs: tuple[int, ...]
    size_bytes: int

    @property
    def is_narrow(self) -> bool:
        """Tells whether these sums fit into a narrow row."""
        return max(self.jobs) < _NARROW_JOBS and self.size_bytes < _NARROW_BYTES


def parse_entry(data: bytes) -> Entry:
    """Returns the entry that is packed in these bytes."""
    start, size, user, status = _ENTRY.unpack(data)
    return Entry(int.from_bytes(start, "little"), int.from_bytes(size, "little"), user, status)


def has_rows(string: bytes | None) -> bool:
    """Tells whether a node's string holds rows: it is then of an inner node, or of one of level 0."""
    return bool(string) and string[:1] in ROW_BYTES  # type: ignore[index]  # not None where it is true


def is_whole(string: bytes) -> bool:
    """Tells whether a node's string is a marker followed by none or more whole items."""
    return string[:1] in {_LEAF, *ROW_BYTES} and len(string) % ROW_BYTES.get(string[:1], ENTRY_BYTES) == 1


def split_leaf(string: bytes) -> list[bytes]:
    """Returns the packed entries of a leaf's string."""
    return [string[at : at + ENTRY_BYTES] for at in range(1, len(string), ENTRY_BYTES)]


def pack_leaf(entries: Iterable[bytes]) -> bytes:
    """Returns the string of a leaf with these packed entries."""
    return _LEAF + b"".join(entries)


def parse_rows(string: bytes) -> Iterator[Row]:
    """Yields the whole rows of a node's string, narrow or wide."""
    packed = _ROWS[string[:1]]
    stop = len(string) - (len(string) - 1) % packed.size
    for user, *jobs, size in packed.iter_unpack(string[1:stop]):
        yield Row(user, tuple(jobs), int.from_bytes(size, "little"))


def pack_rows(rows: Iterable[Row], *, is_wide: bool) -> bytes:
    """Returns a node's string of rows: wide ones if `is_wide` or if a row does not fit into a narrow one."""
    ordered = sorted(rows, key=lambda row: int.from_bytes(row.user, "little"))
    marker = b"r" if not is_wide and all(row.is_narrow for row in ordered) else b"R"
    sizes = [row.size_bytes.to_bytes(_SUM_BYTES[marker], "little") for row in ordered]
    packed = [_ROWS[marker].pack(row.user, *row.jobs, size) for row, size in zip(ordered, sizes, strict=True)]
    return marker + b"".join(packed)
