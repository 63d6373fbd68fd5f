"""Packs and parses a stripe's totals: what all its projects count together. Pure; docs/store.md describes each byte."""

from dataclasses import dataclass
from struct import Struct

from service.events.event import JobStatus

# six counts of jobs, low and high word of the bytes of input
_SUMS = Struct("<6QQQ")
_WORD = 1 << 64
_KNOWN, _COUNTING = 1, 2  # 0: neither totals nor count are known
TOTALS_BYTES = 1 + _SUMS.size


@dataclass(frozen=True, slots=True)
class Totals:
    """Numbers of jobs by status, in the order of JobStatus, and the bytes of their input."""

    jobs: tuple[int, ...] = (0,) * len(JobStatus)
    size_bytes: int = 0

    def __add__(self, other: "Totals") -> "Totals":
        """Returns what both are together."""
        jobs = tuple(one + another for one, another in zip(self.jobs, other.jobs, strict=True))
        return Totals(jobs, self.size_bytes + other.size_bytes)

    def __str__(self) -> str:
        counts = ", ".join(f"{number} {status.name}" for status, number in zip(JobStatus, self.jobs, strict=True))
        return f"{counts}, {self.size_bytes} bytes"


@dataclass(frozen=True, slots=True)
class StoredTotals:
    """A stripe's totals as they are stored, None where they are not known; and a count that is under way.

    `counted` is what the count has come to in the projects up to `cursor`, a project id; both are None without a count.
    """

    totals: Totals | None
    counted: Totals | None = None
    cursor: bytes | None = None


def parse_totals(data: bytes | None) -> StoredTotals:
    """Returns what a stripe's totals say; what is not there, or is of no such length, says nothing."""
    if not data or data[0] not in (_KNOWN, _COUNTING):
        return StoredTotals(None)
    has_count = len(data) >= TOTALS_BYTES + _SUMS.size
    if not has_count and (len(data), data[0]) != (TOTALS_BYTES, _KNOWN):
        return StoredTotals(None)
    totals = _parse_sums(data, 1) if data[0] == _KNOWN else None
    if not has_count:
        return StoredTotals(totals)
    return StoredTotals(totals, _parse_sums(data, TOTALS_BYTES), data[TOTALS_BYTES + _SUMS.size :])


def parse_sums(data: bytes) -> Totals:
    """Returns the sums that a script has packed."""
    return _parse_sums(data, 0)


def _parse_sums(data: bytes, at: int) -> Totals:
    *jobs, low, high = _SUMS.unpack_from(data, at)
    return Totals(tuple(jobs), low + high * _WORD)


def _pack_sums(totals: Totals) -> bytes:
    return _SUMS.pack(*totals.jobs, totals.size_bytes % _WORD, totals.size_bytes // _WORD)


def pack_totals(totals: Totals) -> bytes:
    """Packs totals that are known, without a count, as they are stored."""
    return bytes([_KNOWN]) + _pack_sums(totals)
