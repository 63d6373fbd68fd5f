"""Sums the items of many nodes at once, node by node. Pure, no I/O.

The numbers of packed items are read as 64-bit words, at a stride of one item. A word may hold several small numbers,
each in bits of its own. Words are added up over blocks of so few items that no number overflows its bits.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.store.layout.nodes import ENTRY_BYTES, ROW_BYTES
from service.store.redis.views import DamagedError

Words = NDArray[np.uint64]
Cells = NDArray[np.float64]
Places = NDArray[np.intp]
Chosen = Callable[[Words], NDArray[np.bool_]]
"""Tells of user keys whether items of these users count."""

STATUSES = 6
COLUMNS = STATUSES + 3  # jobs by status, then the bytes of input in words of weight 1, 2^32 and 2^64
LEAF, NARROW, WIDE = b"L", b"r", b"R"
ITEM_BYTES = {LEAF: ENTRY_BYTES, **ROW_BYTES}
_BLOCK_ITEMS = 256  # of which each adds less than 2^8 to 16 bits, and less than 2^56 to 64; a leaf has fewer
_LANE_BITS = 9  # an entry adds 1 to the lane of its status, or to the one behind these if it has no status
_LANES = np.array([1 << _LANE_BITS * min(status, STATUSES) for status in range(256)], np.uint64)
_LANE, _LOW, _HALF, _USER, _SIZE = (np.uint64((1 << bits) - 1) for bits in (_LANE_BITS, 32, 16, 48, 56))
_EVEN_BYTES = np.uint64(0x000000FF00FF00FF)
_BYTE, _TWO_BYTES, _FOUR_BYTES = (np.uint64(8 * count) for count in (1, 2, 4))


class Items:
    """The items of nodes of one kind, whose strings begin with this marker.

    Each of them has items. They are joined as they are: zeros before each make its marker the end of one more item, so
    that items keep their stride. Such an item counts as zeros, and so do items of users who are not chosen.
    """

    def __init__(
        self, marker: bytes, strings: Iterable[bytes], sizes: NDArray[np.int64], chosen: Chosen | None
    ) -> None:
        self._marker = marker
        self._width = ITEM_BYTES[marker]
        self._data = bytes(self._width - 1).join(chain((b"",), strings))
        self._counts = (sizes - 1) // self._width + 1
        self._words = self._entry_words() if marker == LEAF else self._row_words()
        markers = np.cumsum(self._counts) - self._counts
        for words in self._words:
            words[markers] = 0
        if chosen is not None:
            users = (self._column(13) >> _BYTE if marker == LEAF else self._column(0)) & _USER
            users[markers] = users[markers + 1]  # nobody is asked about who is not there
            is_counted = chosen(users)
            for words in self._words:
                np.multiply(words, is_counted, out=words)

    def sums(self) -> tuple[Cells, Places]:
        """Returns the sums of blocks of items, a column for each block, and the place of each block's node.

        Raises DamagedError.
        """
        return self._add_up(self._counts, self._words)

    def later_sums(self, first: int, borders_ms: Sequence[NDArray[np.int64]]) -> Iterator[tuple[Cells, Places]]:
        """Yields the same of leaves from a first one on, of entries alone that do not start before a leaf's border.

        The first borders are of the most leaves, the next are of some of these or all.
        """
        if not borders_ms:
            return
        entries = self._entries(slice(first, first + len(borders_ms[0])))
        starts_ms, words = self._starts_ms(entries), [words[entries] for words in self._words]
        for each in borders_ms:
            counts = self._counts[first : first + len(each)]
            borders = np.repeat(each, counts)
            is_later = starts_ms[: len(borders)] >= borders
            yield self._add_up(counts, [each[: len(borders)] * is_later for each in words])

    def entries(self, nodes: slice) -> tuple[NDArray[np.int64], NDArray[np.intp], Words]:
        """Returns start, status and size of each entry that counts of some leaves."""
        entries = self._entries(nodes)
        is_counted = self._words[0][entries] > 0
        starts_ms, statuses, sizes = self._starts_ms(entries), self._column(20, "u1")[entries], self._words[1][entries]
        return starts_ms[is_counted], statuses[is_counted].astype(np.intp), sizes[is_counted]

    def _entries(self, nodes: slice) -> slice:
        first = int(self._counts[: nodes.start].sum())
        return slice(first, first + int(self._counts[nodes].sum()))

    def _starts_ms(self, entries: slice) -> NDArray[np.int64]:
        return (self._column(0)[entries] & _SIZE).view(np.int64)

    def _column(self, offset: int, kind: str = "<u8") -> NDArray[Any]:
        """Returns the number of this kind that each item has at an offset."""
        return np.ndarray((len(self._data) // self._width,), kind, self._data, offset, (self._width,))

    def _entry_words(self) -> list[Words]:
        return [_LANES.take(self._column(20, "u1")), self._column(7) & _SIZE]

    def _row_words(self) -> list[Words]:
        if self._marker == NARROW:
            jobs = self._column(6)
            return [jobs & _EVEN_BYTES, jobs >> _BYTE & _EVEN_BYTES, self._column(11) >> _BYTE]
        columns = [self._column(offset, "<u4").astype(np.uint64) for offset in range(6, 34, 4)]
        return [*columns, self._column(32) >> _TWO_BYTES]

    def _add_up(self, counts: NDArray[np.int64], words: Sequence[Words]) -> tuple[Cells, Places]:
        blocks = -(-counts // _BLOCK_ITEMS)
        node = np.repeat(np.arange(len(blocks)), blocks)
        number = np.arange(len(node)) - np.repeat(np.cumsum(blocks) - blocks, blocks)
        starts = np.repeat(np.cumsum(counts) - counts, blocks) + number * _BLOCK_ITEMS
        if not len(starts):
            return np.zeros((COLUMNS, 0)), node
        return _UNPACK[self._marker]([np.add.reduceat(each, starts) for each in words]), node


def _unpack_entries(sums: Sequence[Words]) -> Cells:
    lanes, sizes = sums
    *jobs, strange = (lanes >> np.uint64(_LANE_BITS * lane) & _LANE for lane in range(STATUSES + 1))
    if strange.any():
        raise DamagedError("n", "has a leaf with a job in no status")
    return _cells(jobs, sizes)


def _unpack_narrow(sums: Sequence[Words]) -> Cells:
    even, odd, sizes = sums
    return _cells(
        [each >> shift & _HALF for shift in np.uint64(16) * np.arange(3, dtype=np.uint64) for each in (even, odd)],
        sizes,
    )


def _unpack_wide(sums: Sequence[Words]) -> Cells:
    *jobs, low, high = sums
    cells = _cells(jobs, low)
    cells[STATUSES + 1 :] = _halves(high + (low >> _FOUR_BYTES))
    return cells


def _cells(jobs: Sequence[Words], sizes: Words) -> Cells:
    return np.array([*jobs, *_halves(sizes), np.zeros_like(sizes)], np.float64)


def _halves(words: Words) -> tuple[Words, Words]:
    return words & _LOW, words >> _FOUR_BYTES


_UNPACK = {LEAF: _unpack_entries, NARROW: _unpack_narrow, WIDE: _unpack_wide}
