"""Recomputes a project's tree from its job records and says where the two differ, also while the project is written.

What is read at one instant is compared exactly. What cannot be read at one instant - all job records - only raises
doubts, each of which is then settled by itself (see bottoms). Nothing is written, and no read holds Redis for
more than about a millisecond. In memory are some hundred bytes a node, and what is remembered of nodes in doubt.
"""

from collections.abc import Callable
from functools import partial
from itertools import chain

from service.store.audit.bottoms import judge
from service.store.audit.findings import Drift, Findings, Unfinished, WrongShape
from service.store.audit.names import check_names
from service.store.audit.places import Digests
from service.store.audit.reads import Pause, ProjectReads, Sizes, no_pause, on_live_generation
from service.store.audit.records import RecordCheck, scan
from service.store.audit.shape import check_shape, listed_entries
from service.store.audit.walk import Walk
from service.store.layout.projects import LISTED_LEAF, META_BYTES, Meta
from service.store.layout.records import entry_of
from service.store.layout.sizes import hash_bytes, string_bytes
from service.store.layout.tree import TOP_LEVEL
from service.store.redis.views import FOREIGN, Client, DamagedError

Advance = Callable[[int], None]
Weigh = Callable[[Sizes], None]


def ignore(_records: int) -> None:
    """Hears of records scanned, and does nothing."""


def forget_sizes(_sizes: Sizes) -> None:
    """Hears what a project's keys take in memory, and does nothing."""


async def audit_project(
    client: Client,
    project_id: str,
    advance: Advance = ignore,
    pause: Pause = no_pause,
    weigh: Weigh = forget_sizes,
) -> list[Drift]:
    """Returns every drift of a project: none if all is well or nobody wrote it. `advance` hears of records scanned.

    `pause` is awaited after each read. `weigh` hears what the project's keys take in memory. Head or meta that cannot
    be read are the only drift. Raises StoreUnavailableError, LayoutError.
    """
    try:
        return await on_live_generation(client, project_id, partial(_audit, advance=advance, weigh=weigh), pause)
    except DamagedError as error:
        return [Drift(project_id, error.key, error.what)]


async def _audit(reads: ProjectReads, advance: Advance, weigh: Weigh) -> list[Drift]:
    view = await reads.view(["s"], [("EXISTS", name) for name in ("s", "t", "u", "j:0")])
    if view.meta is None:
        findings = Findings(reads)
        if any(view.replies):
            findings.add("m", "is missing, and other keys are there")
        return findings.drifts
    tops = {index for level, index in listed_entries(view.strings[0]) if level % LISTED_LEAF == TOP_LEVEL}
    while True:
        findings = Findings(reads)
        reads.sizes.clear()
        unknown = await _compare(reads, view.meta, tops, findings, advance)
        if not unknown:
            break
        tops |= unknown  # a job has begun a new age, or the shape has lost one
    await _check_names(reads, findings)
    key_bytes = len(reads.prefix) + 1
    reads.sizes["projects"] = string_bytes(key_bytes, META_BYTES)
    reads.sizes["shapes"] = string_bytes(key_bytes, len(view.strings[0] or b""))
    weigh(reads.sizes)
    return findings.drifts


async def _check_names(reads: ProjectReads, findings: Findings) -> None:
    for name, kind in (await reads.foreign(["t"])).items():
        findings.add(name, f"is a {kind}, and no string")
    view = await reads.view(["t"], [("HGETALL", "u")])
    [users] = view.replies
    if users is FOREIGN:
        findings.add("u", "is no hash")
        return
    times = view.strings[0] or b""
    check_names(users, times, findings)
    key_bytes, text_bytes = len(reads.prefix) + 1, sum(map(len, chain.from_iterable(users.items())))
    reads.sizes["names"] = hash_bytes(key_bytes, len(users), text_bytes) + string_bytes(key_bytes, len(times))


async def _compare(reads: ProjectReads, first: Meta, tops: set[int], findings: Findings, advance: Advance) -> set[int]:
    """Walks the tree, scans the records and judges what differs; returns topmost nodes that must be walked, too."""
    walk = Walk(reads, findings)
    await walk.run(tops)
    digests, check, unknown = Digests(walk.bottoms), RecordCheck(reads, first, findings), set[int]()
    async for scanned in scan(reads):
        check.take(scanned)
        for _, _, data, record in scanned.found:
            if record is not None and not record.is_deleted:
                findings.users.add(record.user)
                if not digests.take(record.start_ms, entry_of(data)):
                    unknown.add(record.start_ms >> TOP_LEVEL)
        advance(len(scanned.found))
    if check.last.unfinished_hashes:
        findings.add("m", "is marked: a write ended in part", Unfinished())
    await check.check()
    if unknown - tops:
        return unknown - tops
    await judge(reads, digests.differing(), findings)
    await check_shape(reads, walk, findings)
    for name, kind in (await reads.foreign(["s"])).items():
        findings.add(name, f"is a {kind}, and no string", WrongShape())
    return set()
