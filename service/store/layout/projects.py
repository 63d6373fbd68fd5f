"""Packs and parses what a project has once: its meta, its shape, its users' names and namings. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple

from service.events.event import user_number

LISTED_LEAF = 128
_META = Struct("<8s8s8sQII")
_SHAPE_ENTRY = Struct("<BIHB")
_NAMING = Struct("<6s7s6s")
NAMING_BYTES = _NAMING.size
META_BYTES = _META.size
SHAPE_ENTRY_BYTES = _SHAPE_ENTRY.size


@lru_cache(maxsize=65_536)
def user_key(user_id: str) -> bytes:
    """Returns the 6 bytes that stand for a user in rows and entries: its number, little-endian."""
    return user_number(user_id).to_bytes(6, "little")


def naming_digest(user_id: str, name: str) -> bytes:
    """Returns the 6 bytes that stand in `t` for a user's id and name."""
    return blake2b(user_id.encode() + b"\0" + name.encode(), digest_size=6).digest()


@dataclass(frozen=True, slots=True)
class Meta:
    """A project's meta: ids of the writes that last changed it, its shape and its names; numbers of records and hashes.

    `unfinished_hashes` is the mark: 0, or the number of record hashes that an unfinished write was going to have. A
    marked project gets no answers and no events until its tree is mended from the records.
    """

    write_id: bytes
    shape_id: bytes
    names_id: bytes
    records: int
    hashes: int
    unfinished_hashes: int = 0


def parse_meta(data: bytes) -> Meta:
    """Returns the meta that a string is; raises struct.error if it has another length."""
    return Meta(*_META.unpack(data))


def pack_meta(meta: Meta) -> bytes:
    """Packs a meta as it is stored."""
    return _META.pack(meta.write_id, meta.shape_id, meta.names_id, meta.records, meta.hashes, meta.unfinished_hashes)


def parse_shape(data: bytes) -> list[tuple[int, int]]:
    """Returns (level, index) of each entry of a shape; for a leaf, LISTED_LEAF is added to the level.

    Raises struct.error if the string has a length that no shape has.
    """
    return [(level, low | middle << 32 | high << 48) for level, low, middle, high in _SHAPE_ENTRY.iter_unpack(data)]


def pack_shape(entries: Iterable[tuple[int, int]]) -> bytes:
    """Packs a shape as it is stored."""
    return b"".join(
        _SHAPE_ENTRY.pack(level, index & 0xFFFFFFFF, index >> 32 & 0xFFFF, index >> 48) for level, index in entries
    )


def parse_user(value: bytes) -> tuple[str, str]:
    """Returns (user id, user name) from the value of a field of `u`; raises UnicodeDecodeError or IndexError."""
    return value[1 : 1 + value[0]].decode(), value[1 + value[0] :].decode()


class Naming(NamedTuple):
    """A naming, an item of a project's string `t`: when a user was named, and the digest of id and name."""

    user: bytes
    time_ms: int
    digest: bytes


def parse_namings(data: bytes) -> list[Naming]:
    """Returns the whole namings of a project's string `t`."""
    whole = data[: len(data) // NAMING_BYTES * NAMING_BYTES]
    return [Naming(user, int.from_bytes(time, "little"), digest) for user, time, digest in _NAMING.iter_unpack(whole)]


def pack_namings(namings: Iterable[Naming]) -> bytes:
    """Packs namings as a project's string `t`, sorted by user key."""
    ordered = sorted(namings, key=lambda naming: int.from_bytes(naming.user, "little"))
    return b"".join(_NAMING.pack(each.user, each.time_ms.to_bytes(7, "little"), each.digest) for each in ordered)


def read_user(value: bytes) -> tuple[str, str] | None:
    """Returns (user id, user name) from the value of a field of `u`, or None if no write can have left that value."""
    try:
        return parse_user(value)
    except (UnicodeDecodeError, IndexError):
        return None
