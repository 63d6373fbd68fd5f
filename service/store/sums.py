"""Sums the strings of a cover into counts per user. Pure, no I/O."""

from collections.abc import Iterable
from struct import Struct

from service.store.cover import Part, Term
from service.store.layout import ENTRY_BYTES, ROW_BYTES

# counts by status rank, then bytes; of one user
Counts = list[int]

_ROW = Struct("<6s6IIIH")
_ENTRY = Struct("<IHBIHB6sB")
_USER_AT = {ROW_BYTES: 0, ENTRY_BYTES: 14}


def only_user(items: bytes, width: int, user: bytes) -> bytes:
    """Of a string of fixed-width items without its marker, those of one user."""
    offset = _USER_AT[width]
    parts = []
    at = items.find(user)
    while at >= 0:
        if (at - offset) % width == 0:
            parts.append(items[at - offset : at - offset + width])
            at = items.find(user, at + len(user))
        else:
            at = items.find(user, at + 1)
    return b"".join(parts)


def _add_rows(totals: dict[bytes, Counts], rows: bytes, sign: int) -> None:
    for user, *counts, low, middle, high in _ROW.iter_unpack(rows):
        size_bytes = low | middle << 32 | high << 64
        total = totals.get(user)
        if total is None:
            total = totals[user] = [0] * 7
        for status, number in enumerate(counts):
            total[status] += sign * number
        total[6] += sign * size_bytes


def _add_entries(totals: dict[bytes, Counts], entries: bytes, sign: int, wanted: range | None, inside: bool) -> None:
    for s0, s1, s2, size_low, b1, b2, user, status in _ENTRY.iter_unpack(entries):
        if wanted is not None and ((s0 | s1 << 32 | s2 << 48) in wanted) is not inside:
            continue
        total = totals.get(user)
        if total is None:
            total = totals[user] = [0] * 7
        total[status] += sign
        total[6] += sign * (size_low | b1 << 32 | b2 << 48)


def sum_terms(
    terms: Iterable[Term], strings: Iterable[bytes | None], interval: range, user: bytes | None
) -> dict[bytes, Counts]:
    """Counts per user key over the terms of a cover and their strings (None: nothing there); of one user if given."""
    totals: dict[bytes, Counts] = {}
    for (_, sign, part), string in zip(terms, strings, strict=True):
        if not string:
            continue
        items = string[1:]
        width = ROW_BYTES if part is Part.ROWS else ENTRY_BYTES
        if user is not None:
            items = only_user(items, width, user)
        if part is Part.ROWS:
            _add_rows(totals, items, sign)
        else:
            _add_entries(totals, items, sign, None if part is Part.ENTRIES else interval, part is Part.INSIDE)
    return totals
