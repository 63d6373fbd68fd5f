"""The scan of a project's job records, hash by hash, while the hashes may split and their records change."""

from collections import Counter
from collections.abc import AsyncIterator
from operator import attrgetter
from typing import NamedTuple

from service.store.audit.findings import Findings, WrongCount, WrongPlace
from service.store.audit.reads import ProjectReads, View
from service.store.layout.projects import Meta
from service.store.layout.records import JOB_BYTES, RECORD_BYTES, Record, parse_record, place_of
from service.store.layout.sizes import hash_bytes
from service.store.redis.views import FOREIGN, DamagedError

_HASHES_PER_READ = 64  # some 1,500 records, for which Redis takes half a millisecond
_HASHES_PER_COUNT = 5_000
_NUMBER = attrgetter("number")


class Found(NamedTuple):
    """A record, the number of the hash that it lies in, and what it says: None if it is none."""

    number: int
    job: bytes
    data: bytes
    record: Record | None


class Scanned(NamedTuple):
    """The records of some hashes, all of one instant, and the numbers of hashes of a foreign type."""

    meta: Meta
    found: list[Found]
    foreign: list[int]


async def scan(reads: ProjectReads) -> AsyncIterator[Scanned]:
    """Reads every record, in ascending order of hashes, up to the last hash that there is by then.

    A hash that splits hands records to one with a higher number, so none is missed, and some may come twice.
    """
    first, hashes = 0, 1
    while first < hashes:
        some = range(first, min(first + _HASHES_PER_READ, hashes))
        view = await reads.view([], [("HGETALL", f"j:{number}") for number in some])
        if view.meta is None:
            return
        hashes = view.meta.hashes
        replies = list(zip(some, view.replies, strict=True))
        found = [
            Found(number, job, data, parse_record(data) if len(job) == JOB_BYTES else None)
            for number, reply in replies
            if reply is not FOREIGN
            for job, data in reply.items()
        ]
        yield Scanned(view.meta, found, [number for number, reply in replies if reply is FOREIGN])
        first = some.stop


async def count_records(reads: ProjectReads) -> tuple[View, int]:
    """Returns how many records there are at one instant, and the view of it."""
    view = await reads.view_of_hashes([], lambda hashes: [("HLEN", f"j:{number}") for number in range(hashes)])
    return view, sum(reply for reply in view.replies if reply is not FOREIGN)


class RecordCheck:
    """Compares records with the hashes that they lie in, and their number with what the meta says."""

    def __init__(self, reads: ProjectReads, first: Meta, findings: Findings) -> None:
        self._reads = reads
        self._findings = findings
        self._first = self.last = first  # the meta as it was first and last seen
        self._records = 0
        self._misplaced: list[tuple[Found, int]] = []
        self._foreign: set[int] = set()

    def take(self, scanned: Scanned) -> None:
        """Takes in a part of the scan."""
        self.last = scanned.meta
        self._weigh(scanned)
        self._records += len(scanned.found)
        self._foreign.update(scanned.foreign)
        for number in scanned.foreign:
            self._lose(number, "is no hash")
        for found in scanned.found:
            if found.record is None:
                what = f"of {len(found.data)} bytes" if len(found.data) != RECORD_BYTES else "of no event"
                self._lose(found.number, f"job {found.job.hex()} has a record {what}")
            if len(found.job) == JOB_BYTES:
                place = place_of(found.job, scanned.meta.hashes)
                if place != found.number:
                    self._misplaced.append((found, place))

    def _weigh(self, scanned: Scanned) -> None:
        """Adds what the hashes of a part of the scan take in memory."""
        key_bytes = len(self._reads.prefix) + len(f"j:{scanned.meta.hashes}")
        for records in Counter(map(_NUMBER, scanned.found)).values():
            self._reads.sizes["records"] += hash_bytes(key_bytes, records, records * (JOB_BYTES + RECORD_BYTES))

    def _lose(self, number: int, what: str) -> None:
        self._findings.add(f"j:{number}", what)
        self._findings.are_records_lost = True

    async def check(self) -> None:
        """Adds to the findings what the scan has shown, once it has ended.

        Raises DamagedError if the meta cannot be right about the number of hashes, and what ProjectReads raises.
        """
        if not self.last.unfinished_hashes:
            await self._check_hashes()
        for (number, job, *_), place in self._misplaced:
            cause = None if place in self._foreign else WrongPlace(job, number)  # there it cannot be moved to
            self._findings.add(f"j:{number}", f"job {job.hex()} belongs into hash {place}", cause)
        await self._check_count()

    async def _check_hashes(self) -> None:
        """Checks the number of hashes: with a wrong one no record would be looked for where it is."""
        view = await self._reads.view_of_hashes(
            [], lambda hashes: [("EXISTS", f"j:{number}") for number in range(hashes, hashes + _HASHES_PER_READ)]
        )
        if view.meta is not None and not view.meta.unfinished_hashes and any(view.replies):
            raise DamagedError(f"{self._reads.prefix}m", f"says {view.meta.hashes} record hashes, and there are more")
        if 2 * len(self._misplaced) > self._records:
            what = f"says {self.last.hashes} record hashes, and most records lie otherwise"
            raise DamagedError(f"{self._reads.prefix}m", what)

    async def _check_count(self) -> None:
        """Checks the number of records.

        While the project is written it is counted at one instant; not if there are too many hashes for that.
        """
        said, records = self.last.records, self._records
        if self._first.write_id != self.last.write_id:
            if self.last.hashes > _HASHES_PER_COUNT:
                return
            view, records = await count_records(self._reads)
            said = view.meta.records if view.meta else records
        what = f"says {said} records, {records} are there"
        if said > records:  # what they said is lost, or the meta is wrong: who could tell
            self._findings.add("m", what)
            # what a write that ended in part has added to nodes, and to no record, must go, and so what is lost does
            self._findings.are_records_lost |= not self.last.unfinished_hashes
        elif said < records:
            self._findings.add("m", what, WrongCount())
