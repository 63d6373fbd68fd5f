"""Judges bottom nodes that differ from the records, while both may be written.

Entries have no job id, so which jobs a node holds is known from the records alone, and those are never read all at one
instant. So a scan tells which jobs start in a node, and then a look reads the node and the records of these jobs at one
instant. What the node lacks of them, or holds beyond them, is drift

- if nobody has written the project since before the scan; or else
- if two looks in a row have shown it. What a node holds beyond its jobs may be of a job that came after its hash had
  been scanned: it counts only if the node held it before the scan, too, and the scan met no new job of that user and
  start time. Of a job that had it all the while the scan would know.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, field

from service.store.audit.findings import Findings
from service.store.audit.places import Places
from service.store.audit.reads import ProjectReads, chunks, node_name
from service.store.audit.records import scan
from service.store.audit.tree import Content, content_of, content_of_records, is_inner
from service.store.layout.nodes import parse_entry
from service.store.layout.records import entry_of
from service.store.layout.tree import Node, possible_children

_log = logging.getLogger(__name__)

_SCANS = 6
_AT_ONCE = 4_096  # nodes judged by the same scans: of each some hundred jobs are remembered
# Of more jobs than this - a millisecond can have any number - the records are not read at one instant: it counts that
# the node is the same before and after.
_JOBS_PER_VIEW = 2_000
_MOST_JOBS = 20_000  # are remembered of a node; of one with more it is only known what it lacks of these

Jobs = Mapping[bytes, bytes]
"""Records by job."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What a look at a node has shown: its string, the jobs that start in it, and how the two differ.

    The node holds `unasked` beyond what its jobs say, and `surplus` is that of it which no new job can have brought.
    `is_final`: nobody has written the project since before the scan.
    """

    string: bytes
    jobs: Set[bytes] = frozenset()
    lacking: Content = field(default_factory=Counter)
    unasked: Content = field(default_factory=Counter)
    surplus: Content = field(default_factory=Counter)
    is_final: bool = False

    def drift_since(self, last: "_Look") -> tuple[Content, Content]:
        """Returns what the node lacks, and what it holds beyond its jobs, for certain after these two looks."""
        if self.is_final:
            return self.lacking, self.unasked
        return self.lacking & last.lacking, self.surplus & last.surplus


async def judge(reads: ProjectReads, nodes: Collection[Node], findings: Findings) -> None:
    """Finds which of these bottom nodes are not what the records say. Raises what ProjectReads raises."""
    for some in chunks(sorted(nodes), _AT_ONCE):
        await _judge_some(reads, some, findings)


async def _judge_some(reads: ProjectReads, nodes: Collection[Node], findings: Findings) -> None:
    looks = await _first_looks(reads, nodes)
    for scans_left in reversed(range(_SCANS)):
        if not looks:
            return
        meta_data = (await reads.view([])).meta_data
        jobs = await _scan_for(reads, looks)
        changed: list[Node] = []
        for node, last in list(looks.items()):
            look = await _look(reads, node, last, jobs[node], meta_data)
            if look is None:
                del looks[node]
                changed.append(node)
                continue
            lacking, surplus = look.drift_since(last)
            is_settled = (lacking, surplus) == (look.lacking, look.unasked)
            looks[node] = look
            if is_settled or (not scans_left and (lacking or surplus)):
                del looks[node]
                if lacking or surplus:
                    findings.add_content(node, lacking, surplus, look.jobs)
        looks |= await _first_looks(reads, changed)
    if looks:
        _log.warning(
            "some nodes changed under every scan and were not judged",
            extra={"project_id": reads.project_id, "nodes": len(looks), "one_of_them": node_name(min(looks))},
        )


async def _first_looks(reads: ProjectReads, nodes: Collection[Node]) -> dict[Node, _Look]:
    """Reads what the nodes hold; of one that has split meanwhile, what those below it hold."""
    looks: dict[Node, _Look] = {}
    wanted = set(nodes)
    while wanted:
        strings = await reads.strings(sorted(wanted))
        split = {node for node in wanted if is_inner(node, strings.get(node))}
        looks |= {node: _Look(strings.get(node, b"")) for node in wanted - split}
        wanted = {child for node in split for child in possible_children(node)}
    return looks


async def _scan_for(reads: ProjectReads, nodes: Collection[Node]) -> Mapping[Node, Jobs]:
    """Returns the jobs that start in each of the nodes, and their records, by one scan."""
    places = Places(nodes)
    jobs: defaultdict[Node, dict[bytes, bytes]] = defaultdict(dict)
    async for scanned in scan(reads):
        for _, job, data, record in scanned.found:
            node = places.node_of(record.start_ms) if record is not None else None
            if node is not None and (len(jobs[node]) < _MOST_JOBS or job in jobs[node]):
                jobs[node][job] = data
    return jobs


async def _look(reads: ProjectReads, node: Node, last: _Look, jobs: Jobs, meta_data: bytes | None) -> _Look | None:
    """Looks at a node after a scan has found its jobs; `meta_data` is the project's meta from before the scan.

    Returns None if the node has split, or if it has too many jobs and has changed.
    """
    is_exact = len(jobs) <= _JOBS_PER_VIEW
    view, records = await reads.records([node_name(node)], jobs if is_exact else ())
    string = view.strings[0] or b""
    if is_inner(node, string) or not (is_exact or string == last.string):
        return None
    held, asked = content_of(node, string), content_of_records(node, (records if is_exact else jobs).values())
    lacking = asked - held
    unasked = held - asked if len(jobs) < _MOST_JOBS else Counter()
    if view.meta_data == meta_data:
        return _Look(string, frozenset(jobs), lacking, unasked, is_final=True)
    unasked &= content_of(node, last.string)
    new = {_kind(node, entry_of(data)) for job, data in jobs.items() if job not in last.jobs}
    surplus = Counter({item: number for item, number in unasked.items() if _kind(node, item) not in new})
    return _Look(string, frozenset(jobs), lacking, unasked, surplus)


def _kind(node: Node, item: bytes | tuple[bytes, int]) -> tuple[int, bytes]:
    """Returns what stays of an entry, whatever becomes of its job: start time and user."""
    if isinstance(item, tuple):  # the sums of a millisecond
        return node[1], item[0]
    entry = parse_entry(item)
    return entry.start_ms, entry.user
