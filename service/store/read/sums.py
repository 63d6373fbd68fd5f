"""Sums the strings of a cover into jobs and bytes of input per user, exactly. Pure, no I/O."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.store.layout.nodes import ENTRY_BYTES, ROW_BYTES
from service.store.layout.widths import START_IN_ENTRY, USER_IN_ENTRY
from service.store.read.cover import Cut
from service.store.read.node_memory import NodeMemory
from service.store.read.node_rows import COLUMNS, LOW, STATUSES, Entries, parse_entries, parse_rows
from service.store.read.users import Numbers, Users
from service.store.redis.views import DamagedError

_HALF_WORD = 1 << 30  # a middle word below this, shifted by 32 bits and with the low word added, fits into 63 bits
_USER_OFFSET = {**dict.fromkeys(ROW_BYTES.values(), 0), ENTRY_BYTES: USER_IN_ENTRY}  # by the width of an item


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


class _Summing:
    """Adds up the strings of nodes. Its methods raise DamagedError."""

    def __init__(self, users: Users) -> None:
        self._users = users
        self._total = np.zeros((len(users), COLUMNS), np.int64)

    def result(self) -> Sums:
        """Returns the sums of what was added."""
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


class Summing(_Summing):
    """Adds up the strings of nodes for all users of a project; the edges of the interval cut leaves."""

    def __init__(self, users: Users, interval: range, memory: NodeMemory) -> None:
        super().__init__(users)
        self._edges_ms = np.array((interval.start, interval.stop), np.int64)
        self._node = memory.node

    def add(self, keys: Iterable[str], strings: Iterable[bytes | None], sign: int) -> None:
        """Adds the whole nodes under these keys, or by the sign subtracts them; None is a node that is not there."""
        total, users, node = self._total, self._users, self._node
        for key, string in zip(keys, strings, strict=True):
            if string:
                node(key, string, users).add(total, sign)

    def add_parts(self, cuts: Iterable[Cut], keys: Iterable[str], strings: Iterable[bytes | None]) -> None:
        """Adds, or by the sign subtracts, the entries that count of the leaves that the interval's edges cut."""
        for cut, key, string in zip(cuts, keys, strings, strict=True):
            if string:
                leaf = self._node(key, string, self._users)
                assert isinstance(leaf, Entries)  # noqa: S101 - rows are never cut
                leaf.add_part(self._total, cut.sign, self._edges_ms, inside=cut.inside)


class SummingOne(_Summing):
    """Adds up the strings of nodes for one user, given by its key, and for nobody else."""

    def __init__(self, user: bytes, interval: range) -> None:
        super().__init__(Users([int.from_bytes(user, "little")]))
        self._user = user
        self._interval = interval
        self._items: defaultdict[tuple[bytes, int], list[bytes]] = defaultdict(list)  # by marker and sign

    def add(self, strings: Iterable[bytes | None], sign: int) -> None:
        """Adds whole nodes, or by the sign subtracts them; None is a node that is not there."""
        for string in strings:
            if string:
                self._items[string[:1], sign] += only_user(string, self._user)

    def add_parts(self, cuts: Iterable[Cut], strings: Iterable[bytes | None]) -> None:
        """Adds, or by the sign subtracts, the entries that count of the leaves that the interval's edges cut."""
        for cut, string in zip(cuts, strings, strict=True):
            if string:
                parts = self._items[string[:1], cut.sign]
                parts += [each for each in only_user(string, self._user) if self._is_inside(each) == cut.inside]

    def result(self) -> Sums:
        """Returns the sums of what was added."""
        for (marker, sign), items in self._items.items():
            if marker in ROW_BYTES:
                _, cells = parse_rows(marker + b"".join(items))
                self._total += sign * cells.sum(axis=0, dtype=np.int64)
            else:
                parse_entries(b"".join(items), self._users).add(self._total, sign)
        return super().result()

    def _is_inside(self, entry: bytes) -> bool:
        return int.from_bytes(entry[START_IN_ENTRY], "little") in self._interval


def only_user(node: bytes, user: bytes) -> list[bytes]:
    """Returns the items of one user from a node's string."""
    width = ROW_BYTES.get(node[:1], ENTRY_BYTES)
    offset = _USER_OFFSET[width]
    found = []
    at = node.find(user, 1)
    while at >= 0:
        first = at - offset
        if first % width == 1:
            found.append(node[first : first + width])
        at = node.find(user, at + 1)
    return found
