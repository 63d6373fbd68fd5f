"""Estimates the memory that keys take in Redis, by what is known of them without asking. Pure.

The figures are those of Redis 7.0 on 64 bits with jemalloc; later versions and Valkey take less: some ten bytes a key.
"""

from typing import Literal

Kind = Literal["stripes", "projects", "shapes", "nodes", "records", "names"]
"""Kinds of key: heads and lists of projects; metas; shapes; nodes; record hashes; `u` and `t`."""

_ENTRY_BYTES = 24 + 12  # in the table of keys: the entry, and its share of the table, which is half to wholly full
_OBJECT_BYTES = 16
_EMBEDDED_BYTES = 44  # a string no longer than this lies in its object
_LISTPACK_BYTES, _LISTPACK_ITEM_BYTES = 7, 2  # lengths before and behind each item
_LISTPACK_ITEMS = 512  # `hash-max-listpack-entries`
_FIELD_BYTES = 24 + 12  # of a hash that is a table: as in the table of keys


def string_bytes(key_bytes: int, value_bytes: int) -> int:
    """Returns what a key with a string takes."""
    if value_bytes <= _EMBEDDED_BYTES:
        return _key_bytes(key_bytes) + _allocated_bytes(_OBJECT_BYTES + _text_bytes(value_bytes))
    return _key_bytes(key_bytes) + _OBJECT_BYTES + _allocated_bytes(_text_bytes(value_bytes))


def hash_bytes(key_bytes: int, fields: int, content_bytes: int) -> int:
    """Returns what a key with a hash takes; `content_bytes` is the length of all of its fields and values together."""
    if fields <= _LISTPACK_ITEMS:
        listpack_bytes = _LISTPACK_BYTES + 2 * fields * _LISTPACK_ITEM_BYTES + content_bytes
        return _key_bytes(key_bytes) + _OBJECT_BYTES + _allocated_bytes(listpack_bytes)
    mean_bytes = content_bytes // (2 * fields)
    return _key_bytes(key_bytes) + fields * (_FIELD_BYTES + 2 * _allocated_bytes(_text_bytes(mean_bytes)))


def set_bytes(key_bytes: int, members: int, content_bytes: int) -> int:
    """Returns what a key with a set of texts takes."""
    mean_bytes = content_bytes // max(1, members)
    return _key_bytes(key_bytes) + members * (_FIELD_BYTES + _allocated_bytes(_text_bytes(mean_bytes)))


def _key_bytes(key_bytes: int) -> int:
    return _ENTRY_BYTES + _allocated_bytes(_text_bytes(key_bytes))


def _text_bytes(size_bytes: int) -> int:
    """Returns the bytes of a text with its header and its zero."""
    return size_bytes + 1 + (3 if size_bytes < 1 << 8 else 5 if size_bytes < 1 << 16 else 9)


def _allocated_bytes(size_bytes: int) -> int:
    """Returns the size class of the allocator that holds so many bytes: there are four of them to a doubling."""
    step = 8 if size_bytes <= 64 else 1 << (size_bytes - 1).bit_length() - 3
    return -(-size_bytes // step) * step
