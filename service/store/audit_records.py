"""The scan of a project's job records, hash by hash, while the hashes may split and their records change."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import numpy as np

from service.store.audit_digests import JOB_BYTES, Bytes, places_of
from service.store.audit_findings import Findings, WrongCount, WrongPlace
from service.store.audit_reads import ProjectReads
from service.store.audit_tree import RECORD_BYTES
from service.store.layout import Meta

_HASHES_PER_READ = 64  # some 1,500 records, for which Redis takes half a millisecond
_HASHES_PER_COUNT = 5_000


@dataclass(frozen=True, slots=True)
class Scanned:
    """Some record hashes of one instant by their numbers."""

    meta: Meta
    hashes: dict[int, dict[bytes, bytes]]

    def __len__(self) -> int:
        return sum(map(len, self.hashes.values()))

    def whole(self) -> tuple[list[bytes], Bytes]:
        """The jobs whose records have the right length, and those records, one a row."""
        pairs = [pair for records in self.hashes.values() for pair in records.items() if len(pair[1]) == RECORD_BYTES]
        records = np.frombuffer(b"".join(record for _, record in pairs), np.uint8).reshape(-1, RECORD_BYTES)
        return [job for job, _ in pairs], records

    def misplaced(self) -> Iterator[tuple[int, bytes, int]]:
        """(hash that a record lies in, job, hash that is its own)."""
        found = [(n, job) for n, records in self.hashes.items() for job in records if len(job) == JOB_BYTES]
        own = places_of([job for _, job in found], self.meta.hashes).tolist()
        return ((number, job, place) for (number, job), place in zip(found, own, strict=True) if place != number)


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
        yield Scanned(view.meta, dict(zip(some, view.replies, strict=True)))
        first = some.stop


def check_records(scanned: Scanned, findings: Findings) -> None:
    """Records against the hashes that they lie in."""
    for number, records in scanned.hashes.items():
        for job, record in records.items():
            if len(job) != JOB_BYTES or len(record) != RECORD_BYTES:
                findings.add(f"j:{number}", f"job {job.hex()} has a record of {len(record)} bytes")
    for number, job, place in scanned.misplaced():
        findings.add(f"j:{number}", f"job {job.hex()} belongs into hash {place}", WrongPlace(job, number))


async def check_count(reads: ProjectReads, first: Meta, last: Meta, records: int, findings: Findings) -> None:
    """The number of records that the meta says, against those that a scan has met from the first meta to the last.

    While the project is written the hashes are counted at one instant; not if they are too many for that.
    """
    said = last.records
    if first.write_id != last.write_id and last.hashes <= _HASHES_PER_COUNT:
        view = await reads.view([], [("HLEN", f"j:{number}") for number in range(last.hashes)])
        if view.meta is None or view.meta.hashes != last.hashes:
            return  # grown: it is being written in the right way, or counted the next time
        said, records = view.meta.records, sum(view.replies)
    elif first.write_id != last.write_id:
        return
    if said != records:
        findings.add("m", f"says {said} records, {records} are there", WrongCount())
