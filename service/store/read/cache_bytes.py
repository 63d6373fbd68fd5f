"""Shares the memory of a reader's caches among them. Pure."""

from typing import NamedTuple

DEFAULT_CACHE_BYTES = 256 * 1024 * 1024


class CacheBytes(NamedTuple):
    """How many bytes each of a reader's caches may take; docs/store.md says what they hold."""

    answers: int
    nodes: int
    projects: int
    ids: int

    @classmethod
    def of(cls, total_bytes: int) -> "CacheBytes":
        """Returns the shares of so many bytes: in sixteenths 4, 4, 7 and 1."""
        part = total_bytes // 16
        return cls(answers=4 * part, nodes=4 * part, projects=7 * part, ids=part)
