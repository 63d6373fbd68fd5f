"""Sums the items of many nodes at once, node by node. Pure, no I/O.

Numbers are read as 64-bit words at a stride of one item. Several small numbers are added up in one word, each in bits
of its own, over blocks of so few items that none overflows.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.store.layout.nodes import ENTRY_BYTES, ROW_BYTES
from service.store.redis.views import DamagedError

Words = NDArray[np.uint64]
Cells = NDArray[np.float64]

STATUSES = 6
COLUMNS = STATUSES + 3  # jobs by status, then the bytes of input in words of weight 1, 2^32 and 2^64
_BLOCK_ITEMS = 256  # of rows, of which each adds less than 2^8 to 16 bits, and less than 2^56 to 64
_LANE_BITS = 10  # of entries: each adds 1, and a leaf has fewer than 2^10


def _mask(bits: int) -> np.uint64:
    return np.uint64((1 << bits) - 1)


_WORD, _LANE, _USER, _SUM = _mask(32), _mask(_LANE_BITS), _mask(48), _mask(56)
_EVEN_BYTES = np.uint64(0x000000FF00FF00FF)
_LANES = np.array([1 << _LANE_BITS * status for status in range(STATUSES)], np.uint64)


class Items:
    """The items of nodes of one kind, without the markers."""

    def __init__(self, marker: bytes, data: bytes, counts: NDArray[np.int64]) -> None:
        self.marker = marker
        self.counts = counts
        self._data = data
        self._width = ROW_BYTES.get(marker, ENTRY_BYTES)
        self._count = len(data) // self._width

    def word(self, offset: int, kind: str = "<u8") -> NDArray[Any]:
        """Returns the number of 64 bits, or of another kind, that each item has at an offset."""
        return np.ndarray((self._count,), kind, self._data, offset, (self._width,))

    def is_of(self, users: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Tells of each item whether it is of one of these users."""
        keys = (self.word(13) >> np.uint64(8) if self.marker == b"L" else self.word(0)) & _USER
        return np.isin(keys, users)

    def starts_ms(self) -> NDArray[np.int64]:
        """Returns the start of each entry."""
        return (self.word(0) & _SUM).view(np.int64)

    def sizes(self) -> Words:
        """Returns the bytes of input of each entry or narrow row."""
        return self.word(7) & _SUM if self.marker == b"L" else self.word(11) >> np.uint64(8)

    def statuses(self) -> NDArray[np.uint8]:
        """Returns the status of each entry; raises DamagedError if one is none."""
        statuses = np.array(self.word(20, "u1"))
        if len(statuses) and statuses.max() >= STATUSES:
            raise DamagedError("n", "has a leaf with a job in no status")
        return statuses

    def blocks(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Returns where blocks of items begin, of which none is of two nodes, and the place of each one's node."""
        blocks = -(-self.counts // _BLOCK_ITEMS)
        node = np.repeat(np.arange(len(blocks)), blocks)
        number = np.arange(len(node)) - np.repeat(np.cumsum(blocks) - blocks, blocks)
        return np.repeat(np.cumsum(self.counts) - self.counts, blocks) + number * _BLOCK_ITEMS, node


def sum_items(items: Items, is_counted: NDArray[np.bool_] | None) -> tuple[Cells, NDArray[np.intp]]:
    """Returns the sums of blocks of items, a column for each block, and the place of each block's node."""
    starts, node = items.blocks()
    cells = np.zeros((COLUMNS, len(starts)))
    if not len(starts):
        return cells, node

    def add_up(words: Words) -> Words:
        if is_counted is not None:
            words = words * is_counted
        sums: Words = np.add.reduceat(words, starts)
        return sums

    _SUMMING[items.marker](items, add_up, cells)
    return cells, node


def _sum_entries(items: Items, add_up: Callable[[Words], Words], cells: Cells) -> None:
    lanes = add_up(_LANES[items.statuses()])
    for status in range(STATUSES):
        cells[status] = lanes >> np.uint64(_LANE_BITS * status) & _LANE
    _split(add_up(items.sizes()), cells)


def _sum_narrow(items: Items, add_up: Callable[[Words], Words], cells: Cells) -> None:
    jobs = items.word(6)
    for first, lanes in enumerate((add_up(jobs & _EVEN_BYTES), add_up(jobs >> np.uint64(8) & _EVEN_BYTES))):
        for number in range(STATUSES // 2):
            cells[2 * number + first] = lanes >> np.uint64(16 * number) & np.uint64(0xFFFF)
    _split(add_up(items.sizes()), cells)


def _sum_wide(items: Items, add_up: Callable[[Words], Words], cells: Cells) -> None:
    for status in range(STATUSES):
        cells[status] = add_up(items.word(6 + 4 * status, "<u4").astype(np.uint64))
    low = add_up(items.word(30, "<u4").astype(np.uint64))
    high = add_up(items.word(32) >> np.uint64(16)) + (low >> np.uint64(32))
    cells[STATUSES] = low & _WORD
    _split(high, cells[1:])


def _split(words: Words, cells: Cells) -> None:
    cells[STATUSES], cells[STATUSES + 1] = words & _WORD, words >> np.uint64(32)


_SUMMING = {b"L": _sum_entries, b"r": _sum_narrow, b"R": _sum_wide}
