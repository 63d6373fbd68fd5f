"""Numbers of many records at once: where they belong, and digests of what they say.

Digests of what bottom nodes hold and of what job records ask for are equal if both are the same multiset.
A digest is a sum of 64-bit hashes, so it is built up record by record, in any order, and takes eight bytes however many
jobs a node has. A leaf's is over its entries; that of a node of one millisecond, which holds sums, is linear in them.
Pure.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from service.store.audit.tree import SIZE, has_form, is_inner, span_of, sum_of
from service.store.layout.nodes import ENTRY_BYTES
from service.store.layout.records import DELETED_STATUS
from service.store.layout.tree import Node

Bytes = NDArray[np.uint8]  # packed items, one a row
Words = NDArray[np.uint64]

JOB_BYTES = 16
_MASK = (1 << 64) - 1
# of splitmix64 (Steele et al., 2014)
_INCREMENT, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_SIZE_WEIGHT = 0xD6E8FEB86659FD93


def mixed(words: Words) -> Words:
    """Each word as a hash of it."""
    words = words + np.uint64(_INCREMENT)
    words = (words ^ words >> np.uint64(30)) * np.uint64(_FIRST)
    words = (words ^ words >> np.uint64(27)) * np.uint64(_SECOND)
    return words ^ words >> np.uint64(31)


def numbers(items: Bytes, at: int, width: int) -> Words:
    """The little-endian number of so many bytes in each item."""
    words = np.zeros((len(items), 8), np.uint8)
    words[:, :width] = items[:, at : at + width]
    result: Words = words.view("<u8").reshape(-1).astype(np.uint64)
    return result


def places_of(jobs: list[bytes], hashes: int) -> Words:
    """For each job key the number of the hash, of so many, that holds its record."""
    words = np.frombuffer(b"".join(jobs), ">u4").reshape(-1, JOB_BYTES // 4).astype(np.uint32)
    hashed = np.bitwise_xor.reduce(words, axis=1)
    hashed ^= hashed >> np.uint32(16)
    hashed ^= hashed >> np.uint32(8)
    power = 1 << hashes.bit_length() - 1
    number = hashed.astype(np.uint64) % np.uint64(2 * power)
    places: Words = np.where(number < hashes, number, number % np.uint64(power))
    return places


@lru_cache(maxsize=65_536)
def _weight(number: int) -> int:
    return int(mixed(np.array([number], np.uint64))[0])


def _leaf_digests(entries: Bytes) -> Words:
    words = mixed(numbers(entries, 0, 8)) ^ numbers(entries, 8, 8)
    return mixed(mixed(words) ^ numbers(entries, 16, 5))


def _millisecond_digests(entries: Bytes) -> Words:
    values = mixed(numbers(entries, 20, 1)) + numbers(entries, 7, 7) * np.uint64(_SIZE_WEIGHT)
    return mixed(numbers(entries, 14, 6)) * values


def digest_of(node: Node, string: bytes) -> int:
    """The digest of what a bottom node holds; 0 if it has not the form of one, as for nothing."""
    if not has_form(string) or (node[0] == 0 and not is_inner(string)):
        return 0
    if node[0] > 0:
        length = (len(string) - 1) // ENTRY_BYTES
        entries = np.frombuffer(string, np.uint8, length * ENTRY_BYTES, 1).reshape(-1, ENTRY_BYTES)
        return int(_leaf_digests(entries).sum())
    digest = 0
    for (user, column), value in sum_of(string).items():
        weight = _SIZE_WEIGHT if column == SIZE else _weight(column)
        digest += _weight(int.from_bytes(user, "little")) * weight * value
    return digest & _MASK


class Bottoms:
    """The bottom nodes of a tree, with the digests of what they hold and of what the records say."""

    def __init__(self, found: dict[Node, int]) -> None:
        self._nodes = sorted(found, key=lambda node: span_of(node).start)
        self._starts = np.array([span_of(node).start for node in self._nodes], np.uint64)
        self._stops = np.array([span_of(node).stop for node in self._nodes], np.uint64)
        self._is_millisecond = np.array([node[0] == 0 for node in self._nodes], np.bool_)
        self._found = np.array([found[node] for node in self._nodes], np.uint64)
        self._expected = np.zeros(len(self._nodes), np.uint64)

    def count(self, records: Bytes) -> Words:
        """Counts what records contribute; returns the start times of those that belong into none of the nodes."""
        entries = records[records[:, 31] != DELETED_STATUS, 11:]
        starts = numbers(entries, 0, 7)
        positions = np.searchsorted(self._starts, starts, side="right") - 1
        is_inside = positions >= 0
        is_inside[is_inside] = starts[is_inside] < self._stops[positions[is_inside]]
        entries, positions = entries[is_inside], positions[is_inside]
        in_millisecond = self._is_millisecond[positions]
        np.add.at(self._expected, positions[~in_millisecond], _leaf_digests(entries[~in_millisecond]))
        np.add.at(self._expected, positions[in_millisecond], _millisecond_digests(entries[in_millisecond]))
        return starts[~is_inside]

    def differing(self) -> list[Node]:
        """The nodes that hold something else than the records say, or did so when they were read."""
        return [self._nodes[at] for at in np.flatnonzero(self._found != self._expected)]
