"""Sums the strings of a cover into jobs and bytes of input per user, exactly. Pure, no I/O."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.store.layout.nodes import ENTRY_BYTES, ROW_BYTES
from service.store.layout.widths import START_IN_ENTRY, USER_IN_ENTRY
from service.store.read.cover import Cover
from service.store.read.node_memory import Node
from service.store.read.node_rows import COLUMNS, LOW, MIDDLE, STATUSES, Entries, parse_entries, parse_rows
from service.store.read.users import Numbers, Users
from service.store.redis.views import DamagedError

_HALF_WORD = 1 << 30  # a middle word below this, shifted by 32 bits and with the low word added, fits into 63 bits
_USER_OFFSET = {**dict.fromkeys(ROW_BYTES.values(), 0), ENTRY_BYTES: USER_IN_ENTRY}  # by the width of an item


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums of each user, in the order of the users asked for: for each status a row of jobs, and bytes of input.

    `totals` are those of all users: the jobs of each status, then bytes of input.
    """

    jobs: Numbers
    size_bytes: Numbers | NDArray[np.object_]  # exact: Python integers where one exceeds a machine word
    totals: Sequence[int]


def sum_nodes(users: Users, nodes: Cover, interval: range, decoded: Sequence[Node]) -> Sums:
    """Returns the sums of the nodes of a cover of an interval, for all users of a project. Raises DamagedError."""
    total = np.zeros((len(users), COLUMNS), np.int64)
    taken_at, cut_at = _places(nodes, len(decoded))
    for place, node in enumerate(decoded[:cut_at]):
        if node is not None:
            node.add(total, 1 if place < taken_at else -1)
    edges_ms = np.array((interval.start, interval.stop), np.int64)
    for cut, leaf in zip(nodes.cuts, decoded[cut_at:], strict=True):
        if leaf is not None:
            assert isinstance(leaf, Entries)  # noqa: S101 - rows are never cut
            leaf.add_part(total, cut.sign, edges_ms, inside=cut.inside)
    return _to_sums(total)


def sum_user(user: bytes, nodes: Cover, interval: range, strings: Sequence[bytes | None]) -> Sums:
    """Returns the same of the strings of nodes, for the user with this key alone. Raises DamagedError."""
    users = Users([int.from_bytes(user, "little")])
    total = np.zeros((1, COLUMNS), np.int64)
    for (marker, sign), items in _items_of(user, nodes, interval, strings).items():
        if marker in ROW_BYTES:
            _, cells = parse_rows(marker + b"".join(items))
            total += sign * cells.sum(axis=0, dtype=np.int64)
        else:
            parse_entries(b"".join(items), users).add(total, sign)
    return _to_sums(total)


def _items_of(
    user: bytes, nodes: Cover, interval: range, strings: Sequence[bytes | None]
) -> Mapping[tuple[bytes, int], list[bytes]]:
    """Returns those items of a user that count, by the marker of their nodes and by sign."""
    found: defaultdict[tuple[bytes, int], list[bytes]] = defaultdict(list)
    taken_at, cut_at = _places(nodes, len(strings))
    for place, string in enumerate(strings[:cut_at]):
        if string:
            found[string[:1], 1 if place < taken_at else -1] += only_user(string, user)
    for cut, string in zip(nodes.cuts, strings[cut_at:], strict=True):
        if string:
            entries = only_user(string, user)
            found[string[:1], cut.sign] += [each for each in entries if (_start_ms(each) in interval) == cut.inside]
    return found


def _places(nodes: Cover, count: int) -> tuple[int, int]:
    """Returns where, of so many nodes in a cover's order, those begin that are taken off, and those that are cut."""
    return sum(len(indexes) for _, indexes in nodes.added), count - len(nodes.cuts)


def _start_ms(entry: bytes) -> int:
    return int.from_bytes(entry[START_IN_ENTRY], "little")


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


def _to_sums(total: Numbers) -> Sums:
    # reduced by the functions themselves: arrays' methods take twice as long where there are few users
    whole = total.T.copy()
    jobs, (low, middle, high) = whole[:STATUSES], whole[LOW:]
    *all_jobs, all_low, all_middle, all_high = np.add.reduce(whole, axis=1).tolist()
    middle_bits, high_bits = np.bitwise_or.reduce(whole[MIDDLE:], axis=1).tolist()
    if high_bits or not 0 <= middle_bits < _HALF_WORD:
        size_bytes = low.astype(object) + (middle.astype(object) << 32) + (high.astype(object) << 64)
    else:
        size_bytes = low + (middle << 32)
    if np.minimum.reduce(jobs, axis=None, initial=0) < 0 or np.minimum.reduce(size_bytes, initial=0) < 0:
        raise DamagedError("n", "has a node that counts less than is taken off it")
    return Sums(jobs, size_bytes, [*all_jobs, all_low + (all_middle << 32) + (all_high << 64)])
