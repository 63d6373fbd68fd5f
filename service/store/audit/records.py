"""The scan of a project's job records, hash by hash, while the hashes may split and their records change."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import numpy as np

from service.store.audit.digests import JOB_BYTES, Bytes, places_of
from service.store.audit.findings import Findings, WrongCount, WrongPlace
from service.store.audit.reads import ProjectReads
from service.store.audit.tree import RECORD_BYTES, is_record
from service.store.layout.projects import Meta
from service.store.redis.views import FOREIGN, DamagedError

_HASHES_PER_READ = 64  # some 1,500 records, for which Redis takes half a millisecond
_HASHES_PER_COUNT = 5_000


@dataclass(frozen=True, slots=True)
class Scanned:
    """Some record hashes of one instant by their numbers; those of a foreign type apart."""

    meta: Meta
    hashes: dict[int, dict[bytes, bytes]]
    foreign: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return sum(map(len, self.hashes.values()))

    def whole(self) -> tuple[list[bytes], Bytes]:
        """The jobs whose records can be some, and those records, one a row."""
        pairs = [pair for records in self.hashes.values() for pair in records.items() if _is_whole(*pair)]
        records = np.frombuffer(b"".join(record for _, record in pairs), np.uint8).reshape(-1, RECORD_BYTES)
        return [job for job, _ in pairs], records

    def misplaced(self) -> Iterator[tuple[int, bytes, int]]:
        """(hash that a record lies in, job, hash that is its own)."""
        found = [(n, job) for n, records in self.hashes.items() for job in records if len(job) == JOB_BYTES]
        own = places_of([job for _, job in found], self.meta.hashes).tolist()
        return ((number, job, place) for (number, job), place in zip(found, own, strict=True) if place != number)


def _is_whole(job: bytes, record: bytes) -> bool:
    return len(job) == JOB_BYTES and is_record(record)


async def scan(reads: ProjectReads) -> AsyncIterator[Scanned]:
    """Every record, in ascending order of hashes, up to the last hash that there is by then.

    A hash that splits hands records to one with a higher number, so none is missed, and some may come twice.
    """
    first, hashes = 0, 1
    while first < hashes:
        some = range(first, min(first + _HASHES_PER_READ, hashes))
        view = await reads.view([], [("HGETALL", f"j:{number}") for number in some])
        if view.meta is None:
            return
        hashes = view.meta.hashes
        replies = dict(zip(some, view.replies, strict=True))
        foreign = frozenset(number for number, reply in replies.items() if reply is FOREIGN)
        yield Scanned(view.meta, {n: reply for n, reply in replies.items() if n not in foreign}, foreign)
        first = some.stop


async def check_hashes(reads: ProjectReads, misplaced: int, records: int) -> None:
    """The number of hashes that the meta says, against those that there are and where records lie.

    Raises DamagedError if it cannot be that number: then no record would be looked for where it is.
    """
    view = await reads.view([])
    if view.meta is None:
        return
    beyond = range(view.meta.hashes, view.meta.hashes + _HASHES_PER_READ)
    view = await reads.view([], [("EXISTS", f"j:{number}") for number in beyond])
    if view.meta is not None and view.meta.hashes == beyond.start and any(view.replies):
        raise DamagedError(f"{reads.prefix}m", f"says {beyond.start} record hashes, and there are more")
    if 2 * misplaced > records:
        raise DamagedError(f"{reads.prefix}m", f"says {beyond.start} record hashes, and most records lie otherwise")


def check_records(scanned: Scanned, findings: Findings) -> int:
    """Records against the hashes that they lie in; returns how many lie in a wrong one."""
    for number, records in scanned.hashes.items():
        for job, record in records.items():
            if not _is_whole(job, record):
                what = f"of {len(record)} bytes" if len(record) != RECORD_BYTES else "of no event"
                findings.add(f"j:{number}", f"job {job.hex()} has a record {what}")
                findings.are_records_lost = True
    for number in scanned.foreign:
        findings.add(f"j:{number}", "is no hash")
        findings.are_records_lost = True
    findings.foreign_hashes |= scanned.foreign
    misplaced = list(scanned.misplaced())
    for number, job, place in misplaced:
        findings.add(f"j:{number}", f"job {job.hex()} belongs into hash {place}", WrongPlace(job, number))
    return len(misplaced)


async def check_count(reads: ProjectReads, first: Meta, last: Meta, records: int, findings: Findings) -> None:
    """The number of records that the meta says, against those that a scan has met from the first meta to the last.

    While the project is written the hashes are counted at one instant; not if they are too many for that.
    """
    said = last.records
    if first.write_id != last.write_id and last.hashes <= _HASHES_PER_COUNT:
        view = await reads.view([], [("HLEN", f"j:{number}") for number in range(last.hashes)])
        if view.meta is None or view.meta.hashes != last.hashes:
            return  # grown: it is being written in the right way, or counted the next time
        said, records = view.meta.records, sum(reply for reply in view.replies if reply is not FOREIGN)
    elif first.write_id != last.write_id:
        return
    if said > records:  # what they said is lost, or the meta is wrong: who could tell
        findings.add("m", f"says {said} records, {records} are there")
        # what a write that ended in part has added to nodes, and to no record, must go, and so what is lost does
        findings.are_records_lost |= not last.unfinished_hashes
    elif said < records:
        findings.add("m", f"says {said} records, {records} are there", WrongCount())
