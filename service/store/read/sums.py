"""Sums the strings of a cover into jobs and bytes of input per user, exactly. Pure, no I/O."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.store.layout.nodes import ENTRY_BYTES, ROW_BYTES, has_rows
from service.store.layout.widths import USER_IN_ENTRY
from service.store.read.cover import Cut
from service.store.read.node_memory import NodeMemory
from service.store.read.node_rows import COLUMNS, LOW, STATUSES, add_entries, parse_entries, parse_rows, starts_ms
from service.store.read.users import Numbers, Users
from service.store.redis.views import DamagedError

_HALF_WORD = 1 << 30  # a middle word below this, shifted by 32 bits and with the low word added, fits into 63 bits
_USER_OFFSET = {**dict.fromkeys(ROW_BYTES.values(), 0), ENTRY_BYTES: USER_IN_ENTRY}


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums of each user, in the order of the users asked for: for each status a row of jobs, and bytes of input."""

    jobs: Numbers
    size_bytes: Numbers | NDArray[np.object_]  # exact: Python integers where one exceeds a machine word

    @property
    def total_bytes(self) -> int:
        """Returns the bytes of input of all users; halves of words add up without an overflow."""
        low, high = self.size_bytes & 0xFFFFFFFF, self.size_bytes >> 32
        return int(low.sum()) + (int(high.sum()) << 32)


class Leaf(NamedTuple):
    """Entries that are added, or by the sign subtracted: all of them, or those inside of the interval, or outside."""

    entries: bytes
    sign: int
    inside: bool | None = None


class _Summing:
    """Adds up the strings of nodes. Its methods raise DamagedError."""

    def __init__(self, users: Users) -> None:
        self._users = users
        self._total = np.zeros((len(users), COLUMNS), np.int64)
        self._leaves: list[Leaf] = []

    def result(self, interval: range) -> Sums:
        """Returns the sums of what was added, for the interval that cuts leaves."""
        if self._leaves:
            self._add_leaves(interval)
        whole = self._total.T.copy()
        jobs, (low, middle, high) = whole[:STATUSES], whole[LOW:]
        if high.any() or middle.max(initial=0) >= _HALF_WORD:
            low, middle, high = low.astype(object), middle.astype(object), high.astype(object)
            size_bytes = low + (middle << 32) + (high << 64)
        else:
            size_bytes = low + (middle << 32)
        if jobs.min(initial=0) < 0 or size_bytes.min(initial=0) < 0:
            raise DamagedError("n", "has a node that counts less than is taken off it")
        return Sums(jobs, size_bytes)

    def _add_leaves(self, interval: range) -> None:
        for sign in (1, -1):
            leaves = [leaf for leaf in self._leaves if leaf.sign == sign]
            if not leaves:
                continue
            entries = parse_entries(b"".join([leaf.entries for leaf in leaves]))
            starts = starts_ms(entries)
            is_counted = (starts >= interval.start) & (starts < interval.stop)
            first = 0
            for packed, _, inside in leaves:
                last = first + len(packed) // ENTRY_BYTES
                if inside is None:
                    is_counted[first:last] = True
                elif not inside:
                    is_counted[first:last] ^= True
                first = last
            add_entries(self._total, entries[is_counted], sign, self._users)


class Summing(_Summing):
    """Adds up the strings of nodes for all users of a project."""

    def __init__(self, users: Users, memory: NodeMemory) -> None:
        super().__init__(users)
        self._memory = memory

    def add(self, keys: Iterable[str], strings: Iterable[bytes | None], sign: int) -> None:
        """Adds the whole nodes under these keys, or by the sign subtracts them; None is a node that is not there."""
        total, users, rows_of = self._total, self._users, self._memory.rows
        change = total.__iadd__ if sign > 0 else total.__isub__
        for key, string in zip(keys, strings, strict=True):
            if string:
                rows = rows_of(key, string, users)
                if rows is None:
                    self._leaves.append(Leaf(string[1:], sign))
                elif rows.places is None:
                    change(rows.cells)
                else:
                    some = total.take(rows.places, 0)  # half the time of += with an index
                    total[rows.places] = (
                        np.add(some, rows.cells, some) if sign > 0 else np.subtract(some, rows.cells, some)
                    )

    def add_parts(self, cuts: Iterable[Cut], strings: Iterable[bytes | None]) -> None:
        """Adds, or by the sign subtracts, the entries that count of the leaves that the interval's edges cut."""
        pairs = zip(cuts, strings, strict=True)
        self._leaves += [Leaf(string[1:], cut.sign, cut.inside) for cut, string in pairs if string]


class SummingOne(_Summing):
    """Adds up the strings of nodes for one user, given by its key, and for nobody else."""

    def __init__(self, user: bytes) -> None:
        super().__init__(Users([int.from_bytes(user, "little")]))
        self._user = user
        self._rows: defaultdict[tuple[bytes, int], list[bytes]] = defaultdict(list)  # by marker and sign

    def add(self, strings: Iterable[bytes | None], sign: int) -> None:
        """Adds whole nodes, or by the sign subtracts them; None is a node that is not there."""
        for string in strings:
            if string and has_rows(string):
                marker = string[:1]
                self._rows[marker, sign].append(only_user(string[1:], ROW_BYTES[marker], self._user))
            elif string:
                self._leaves.append(Leaf(self._entries(string), sign))

    def add_parts(self, cuts: Iterable[Cut], strings: Iterable[bytes | None]) -> None:
        """Adds, or by the sign subtracts, the entries that count of the leaves that the interval's edges cut."""
        pairs = zip(cuts, strings, strict=True)
        self._leaves += [Leaf(self._entries(string), cut.sign, cut.inside) for cut, string in pairs if string]

    def result(self, interval: range) -> Sums:
        """Returns the sums of what was added, for the interval that cuts leaves."""
        for (marker, sign), rows in self._rows.items():
            _, cells = parse_rows(marker + b"".join(rows))
            self._total += sign * cells.sum(axis=0, dtype=np.int64)
        return super().result(interval)

    def _entries(self, leaf: bytes) -> bytes:
        return only_user(leaf[1:], ENTRY_BYTES, self._user)


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
