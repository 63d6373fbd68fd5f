"""Bottom nodes in doubt, settled while they may be written.

Entries have no job id, so which jobs a node holds is known from the records alone, and those are never read all at one
instant. For each node in doubt:

- every job whose record was ever seen to start in it is remembered, and in the end the node and the records of these
  jobs are read at one instant. What the node lacks of them then is drift, whatever jobs there may be besides;
- what it has beyond them may be of a job that came after its hash had been scanned. It is suspect only if the node had
  it before the scan began, too, and the scan met no job of that user and start time for the first time: of a job that
  had it all the while the scan would know. If that is so for two scans in a row, it is drift.
"""

import logging
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from service.store.audit.digests import numbers
from service.store.audit.findings import Findings
from service.store.audit.reads import ProjectReads, node_name
from service.store.audit.records import scan
from service.store.audit.tree import Content, content_of, content_of_records, is_inner, possible_children, span_of
from service.store.layout.tree import Node

_log = logging.getLogger(__name__)

_SCANS = 6
_AT_ONCE = 4_096  # nodes settled by the same scans: of each some hundred jobs are remembered
# Of more jobs than this - a millisecond can have any number - the records are not read at one instant: it counts that
# the node is the same before and after, and that the same comes of it twice.
_JOBS_PER_VIEW = 2_000
_MOST_JOBS = 20_000  # are remembered of a node; of one with more it is only known what it lacks of these


@dataclass(slots=True)
class _Doubt:
    """A node in doubt."""

    string: bytes  # before the scan
    surplus: Content  # held all along, and of no job that was known
    sure: Content = field(default_factory=Counter)  # what of it the last scan left suspect
    jobs: dict[bytes, bytes] = field(default_factory=dict)  # and their records as last seen
    met: set[bytes] = field(default_factory=set)  # kinds of the jobs that the last scan met for the first time
    is_partial: bool = False  # there are more jobs than are remembered
    lacked: bool = False

    def remember(self, node: Node, job: bytes, record: bytes) -> None:
        """Takes in a record that starts in the node."""
        if job not in self.jobs:
            if len(self.jobs) == _MOST_JOBS:
                self.is_partial = True
                return
            self.met.add(_kind(node, record[11:]))
        self.jobs[job] = record


def _kind(node: Node, entry: bytes) -> bytes:
    """What tells entries apart, whatever becomes of their jobs: start time and user; in a millisecond the user."""
    return entry[14:20] if node[0] == 0 else entry[:7] + entry[14:20]


def _kind_of_item(node: Node, item: bytes | tuple[bytes, int]) -> bytes:
    return item[0] if isinstance(item, tuple) else _kind(node, item)


async def settle(reads: ProjectReads, nodes: Collection[Node], findings: Findings) -> None:
    """Finds which of these bottom nodes are not what the records say. Raises what ProjectReads raises."""
    ordered = sorted(nodes)
    for at in range(0, len(ordered), _AT_ONCE):
        await _settle_some(reads, ordered[at : at + _AT_ONCE], findings)


async def _settle_some(reads: ProjectReads, nodes: Collection[Node], findings: Findings) -> None:
    doubts: dict[Node, _Doubt] = {}
    open_nodes = set(nodes)
    for scan_number in range(1, _SCANS + 1):
        if not open_nodes:
            return
        is_last = scan_number == _SCANS
        doubts = await _begin(reads, open_nodes, doubts)
        await _remember_jobs(reads, doubts)
        open_nodes = {n for n, doubt in doubts.items() if not await _is_settled(reads, n, doubt, is_last, findings)}
    if open_nodes:
        _log.warning(
            "some nodes changed under every scan and were not judged",
            extra={"project": reads.project_id, "nodes": len(open_nodes), "one_of_them": node_name(min(open_nodes))},
        )


async def _begin(reads: ProjectReads, nodes: set[Node], known: dict[Node, _Doubt]) -> dict[Node, _Doubt]:
    """The doubts before a scan; one whose node has split is that of its children."""
    doubts: dict[Node, _Doubt] = {}
    wanted = nodes
    while wanted:
        strings = await reads.strings(sorted(wanted))
        split = {node for node in wanted if node[0] > 0 and is_inner(strings.get(node))}
        for node in wanted - split:
            string = strings.get(node, b"")
            doubt = known.get(node)
            if doubt is None:
                doubt = _Doubt(string, content_of(node, string))
            doubt.string = string
            doubt.met.clear()
            doubts[node] = doubt
        wanted = {child for node in split for child in possible_children(node)}
    return doubts


async def _remember_jobs(reads: ProjectReads, doubts: dict[Node, _Doubt]) -> None:
    """One scan: every job that starts in one of the nodes."""
    ordered = sorted(doubts, key=lambda node: span_of(node).start)
    starts = np.array([span_of(node).start for node in ordered], np.uint64)
    async for scanned in scan(reads):
        jobs, records = scanned.whole()
        job_starts = numbers(records, 11, 7)
        positions = np.searchsorted(starts, job_starts, side="right") - 1
        for at in np.flatnonzero(positions >= 0).tolist():
            node = ordered[positions[at]]
            if int(job_starts[at]) in span_of(node):
                doubts[node].remember(node, jobs[at], records[at].tobytes())


async def _is_settled(reads: ProjectReads, node: Node, doubt: _Doubt, is_last: bool, findings: Findings) -> bool:
    """Judges a node after a scan; False if it takes another."""
    is_exact = len(doubt.jobs) <= _JOBS_PER_VIEW
    if is_exact:
        view, records = await reads.records([node_name(node)], doubt.jobs)
    else:
        view, records = await reads.view([node_name(node)]), doubt.jobs
    string = view.strings[0] or b""
    if (node[0] > 0 and is_inner(string)) or (not is_exact and string != doubt.string):
        doubt.surplus, doubt.sure = content_of(node, string), Counter()  # begin anew
        return False
    held, asked = content_of(node, string), content_of_records(node, records.values())
    lacking = asked - held
    surplus = Counter() if doubt.is_partial else (held - asked) & doubt.surplus
    sure = Counter({item: n for item, n in surplus.items() if _kind_of_item(node, item) not in doubt.met})
    drifted = sure & doubt.sure
    is_settled = surplus == drifted
    is_certain = is_exact or doubt.lacked or not lacking
    if (lacking or drifted) and is_certain and (is_settled or is_last):
        findings.add_content(node, lacking, drifted, doubt.jobs)
        return True
    doubt.surplus, doubt.sure, doubt.lacked = surplus, sure, bool(lacking)
    return is_settled and not lacking
