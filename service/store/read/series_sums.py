"""Adds up the strings of a series, slot by slot. Pure, no I/O."""

from collections.abc import Sequence
from itertools import compress
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from service.store.layout.nodes import ENTRY_BYTES, LEAF_JOBS, ROW_BYTES
from service.store.layout.tree import LOWEST_LISTED_LEVEL
from service.store.read.series_cover import CUT_OFTEN, CUT_ONCE, NOWHERE, ROWS, Nodes, Slots
from service.store.read.series_items import COLUMNS, ITEM_BYTES, LEAF, STATUSES, Cells, Chosen, Items, Places, Words
from service.store.redis.views import DamagedError

_NOTHING = b"\0"
_ITEM_BYTES = np.ones(256, np.int64)
for _marker, _width in ITEM_BYTES.items():
    _ITEM_BYTES[_marker[0]] = _width
_IS_ROWS = np.isin(np.arange(256), [marker[0] for marker in ROW_BYTES])
_MAX_LEAF_BYTES = 1 + LEAF_JOBS * ENTRY_BYTES
_HALF_WORD = 1 << 30
_BLOCK_BYTES = 512 * 1024  # so few that what is made of them stays in the caches, and is no new memory each time
_marker_of = itemgetter(0)


class SeriesSums:
    """Sums of the slots between borders, of all users or of those that `chosen` tells. Methods raise DamagedError."""

    chosen: Chosen | None = None

    def __init__(self, borders_ms: NDArray[np.int64]) -> None:
        self._borders_ms = borders_ms
        self._slots = len(borders_ms) + 1
        self._total = np.zeros((COLUMNS, self._slots))
        self._blocks: list[tuple[Cells, Slots, Slots]] = []

    def add(self, nodes: Nodes, strings: Sequence[bytes | None]) -> bool:
        """Adds some nodes; returns False, and adds nothing, if the strings are not what the shape says."""
        there = [string or _NOTHING for string in strings]
        markers = np.fromiter(map(_marker_of, there), np.uint8, len(there))
        sizes = np.fromiter(map(len, there), np.int64, len(there))
        if not _are_right(nodes, strings, markers, sizes):
            return False
        for marker in ITEM_BYTES:
            is_one = (markers == marker[0]) & (sizes > 1)
            if not is_one.any():
                continue
            places = np.flatnonzero(is_one)
            number = np.cumsum(sizes[places]) // _BLOCK_BYTES
            for block in np.split(places, np.flatnonzero(np.diff(number)) + 1):
                items = Items(marker, [there[place] for place in block.tolist()], sizes[block], self.chosen)
                self._add_items(nodes.part(block), items)
        return True

    def result(self) -> tuple[list[list[int]], list[int]]:
        """Returns the jobs of each interval, a list for each status, and the bytes of input of each interval."""
        total = self._total
        if self._blocks:
            cells, plus, minus = (np.concatenate(each, axis=-1) for each in zip(*self._blocks, strict=True))
            is_taken = minus > NOWHERE
            taken, minus = cells[:, is_taken], minus[is_taken]
            for column in range(COLUMNS):
                total[column] += np.bincount(plus, cells[column], self._slots)
                total[column] -= np.bincount(minus, taken[column], self._slots)
            self._blocks.clear()
        jobs = total[:STATUSES, 1:-1].astype(np.int64)
        low, middle, high = total[STATUSES:, 1:-1].astype(np.int64)
        if high.any() or (np.abs(middle) >= _HALF_WORD).any():
            low, middle, high = low.astype(object), middle.astype(object), high.astype(object)
            size_bytes = low + (middle << 32) + (high << 64)
        else:
            size_bytes = low + (middle << 32)
        if (jobs < 0).any() or (size_bytes < 0).any():
            raise DamagedError("n", "has a node that counts less than is taken off it")
        return jobs.tolist(), size_bytes.tolist()

    def _add_items(self, nodes: Nodes, items: Items) -> None:
        self._add_blocks(items.sums(), nodes.plus, nodes.minus)
        often, *ends = (int(each) for each in nodes.kind.searchsorted(range(CUT_OFTEN, CUT_ONCE + 1), "right"))
        # what comes after a border moves on by one slot: of all leaves that are cut, of those that two borders cut, ...
        slots = [nodes.plus[often:end] + border for border, end in enumerate(reversed(ends)) if end > often]
        later = items.later_sums(often, [self._borders_ms[before] for before in slots])
        for before, sums in zip(slots, later, strict=True):
            self._add_blocks(sums, before + 1, before)
        if often:
            self._add_entries(*items.entries(slice(0, often)))

    def _add_blocks(self, sums: tuple[Cells, Places], plus: Slots, minus: Slots) -> None:
        cells, node = sums
        self._blocks.append((cells, plus[node], minus[node]))

    def _add_entries(self, starts_ms: NDArray[np.int64], statuses: NDArray[np.intp], sizes: Words) -> None:
        slot = self._borders_ms.searchsorted(starts_ms, "right")
        jobs = np.bincount(slot * STATUSES + statuses, minlength=self._slots * STATUSES)
        self._total[:STATUSES] += jobs.reshape(self._slots, STATUSES).T
        self._total[STATUSES] += np.bincount(slot, sizes & np.uint64(0xFFFFFFFF), self._slots)
        self._total[STATUSES + 1] += np.bincount(slot, sizes >> np.uint64(32), self._slots)


def _are_right(
    nodes: Nodes, strings: Sequence[bytes | None], markers: NDArray[np.uint8], sizes: NDArray[np.int64]
) -> bool:
    """Tells whether strings are as the shape says, as node_checks.check_nodes does, which finds the one that is not."""
    is_nothing = markers == _NOTHING[0]
    has_rows = nodes.kind == ROWS
    is_right = np.where(has_rows, _IS_ROWS[markers], markers == LEAF[0])
    is_right &= (sizes % _ITEM_BYTES[markers] == 1) & (has_rows | (sizes <= _MAX_LEAF_BYTES))
    is_right |= is_nothing & ~nodes.is_inner & (nodes.level < LOWEST_LISTED_LEVEL)
    missing = list(compress(strings, is_nothing.tolist()))
    return bool(is_right.all()) and missing.count(None) == len(missing)
