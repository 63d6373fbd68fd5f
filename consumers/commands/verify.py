"""Implements `verify`: recomputes what the store counts from its job records, and mends drift with `--repair`."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from consumers.commands.arguments import project_id
from consumers.commands.terminal import Advance, Terminal, instant
from consumers.store_client import store_client
from service.runtime.settings import ConsumerSettings
from service.store.audit.audit import audit_project
from service.store.audit.findings import Drift, WrongMembers
from service.store.audit.repair import Repair
from service.store.audit.repair_lists import mend_list
from service.store.audit.scope import Scope, survey
from service.store.audit.totals import audit_totals
from service.store.audit.unfinished import mend_project
from service.store.layout.gaps import Gap
from service.store.layout.keys import STRIPES, project_prefix, stripe_of
from service.store.redis.views import Client

SUMMARY = "compare what is counted with the job records, and mend it"
DESCRIPTION = """\
Recomputes each project's tree from its job records, and reports every drift: a key that is not what the rest of its
project says it must be. The totals of each stripe are compared with what its projects count. Consumers and the API go
on meanwhile. With --repair what has drifted is mended from the job
records; what these do not tell (a record or a name that is damaged itself) is left, and takes a rebuild.

Listed as well, though no drift: gaps, that is offsets that the topic lost before they were read, and stripes that no
consumer has written yet.

example:
  python -m consumers verify --project e9993fc787d94b6c886cbaa340f9c0f4 --repair
"""
FOUND = "there is drift (with --repair: some that could not be mended), or no such project"


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Holds what a run of `verify` has looked at, and what it has found."""

    projects: Mapping[str, int]  # job records by project
    repairs: Sequence[Repair]
    gaps: Mapping[Gap, Sequence[int]]  # stripes by gap
    unwritten_stripes: Sequence[int]
    key_prefix: str  # of what is shown

    @property
    def drifts(self) -> Iterator[tuple[Drift, bool]]:
        """Returns each drift, and whether it is still there."""
        return ((drift, drift in repair.left) for repair in self.repairs for drift in _once(repair))


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the command's own arguments."""
    parser.add_argument("--project", metavar="ID", type=project_id, help="this project alone")
    parser.add_argument("--repair", action="store_true", help="mend what can be mended")


async def run(settings: ConsumerSettings, arguments: Namespace, terminal: Terminal) -> int:
    """Audits one project or all, mends drift with --repair, and shows the result; returns 0 or 1.

    Raises StoreUnavailableError, LayoutError.
    """
    async with store_client(settings) as client:
        scope = await survey(client, arguments.project)
        repairs = [await _stripes(client, scope, arguments.repair)]
        with terminal.progress("job records", sum(scope.projects.values())) as advance:
            for project in sorted(scope.projects):
                repairs.append(await _project(client, project, scope, arguments.repair, advance))
        stripes = set(map(stripe_of, scope.projects)) if arguments.project else set(range(STRIPES))
        lost = set(_stripes_with_a_lost_project(repairs))
        for stripe in sorted(stripes - scope.damaged.keys()):
            is_countable = stripe not in lost
            repairs.append(await audit_totals(client, stripe, is_repair=arguments.repair, is_countable=is_countable))
    verdict = _Verdict(scope.projects, repairs, _by_gap(scope.gaps), _unwritten(scope), settings.redis_key_prefix or "")
    is_unknown = arguments.project is not None and not scope.projects
    unknown = [f"there is no project {arguments.project}"] if is_unknown else []
    terminal.result(_document(verdict), chain(unknown, _lines(verdict)))
    return 1 if is_unknown or any(repair.left for repair in repairs) else 0


async def _stripes(client: Client, scope: Scope, is_repair: bool) -> Repair:
    left = []
    for drift in scope.drifts:
        if is_repair and isinstance(drift.cause, WrongMembers):
            await mend_list(client, drift.cause)
        else:
            left.append(drift)
    return Repair(scope.drifts, left)


async def _project(client: Client, project: str, scope: Scope, is_repair: bool, advance: Advance) -> Repair:
    if is_repair:
        repair = await mend_project(client, project, advance)
    else:
        drifts = await audit_project(client, project, advance)
        repair = Repair(drifts, drifts)
    if project in scope.unkept and not repair.found:  # a project is listed in the call that writes its meta
        key = f"{project_prefix(project, scope.heads[stripe_of(project)].generation)}m"
        missing = [Drift(project, key, "is missing, and the project is listed")]
        return Repair(missing, missing)
    return repair


def _stripes_with_a_lost_project(repairs: Iterable[Repair]) -> Iterator[int]:
    """Yields stripes with a project in which no repair mends anything: it may leave their totals uncounted."""
    for repair in repairs:
        projects = {drift.project_id for drift in repair.left if drift.cause is None}
        projects -= {drift.project_id for drift in repair.left if drift.cause is not None}
        yield from (stripe_of(project) for project in projects if project)


def _once(repair: Repair) -> Iterable[Drift]:
    return dict.fromkeys([*repair.found, *repair.left])


def _by_gap(ledgers: Mapping[int, Sequence[Gap]]) -> dict[Gap, list[int]]:
    stripes: dict[Gap, list[int]] = {}
    for stripe, ledger in ledgers.items():
        for gap in ledger:
            stripes.setdefault(gap, []).append(stripe)
    return stripes


def _unwritten(scope: Scope) -> list[int]:
    heads = [(stripe, head) for stripe, head in enumerate(scope.heads) if stripe not in scope.damaged]
    return [stripe for stripe, head in heads if not any(each.next_offset for each in head.progress)]


def _document(verdict: _Verdict) -> dict[str, object]:
    drifts = [
        {
            "project_id": drift.project_id,
            "key": verdict.key_prefix + drift.key,
            "what": drift.what,
            "mended": not is_left,
            "mendable": drift.cause is not None,
        }
        for drift, is_left in verdict.drifts
    ]
    gaps = [
        {
            "partition": gap.partition,
            "from_offset": gap.from_offset,
            "to_offset": gap.to_offset,
            "reason": gap.reason_name,
            "found_ms": gap.time_ms,
            "stripes": list(stripes),
        }
        for gap, stripes in verdict.gaps.items()
    ]
    return {
        "projects": len(verdict.projects),
        "job_records": sum(verdict.projects.values()),
        "drifts": drifts,
        "gaps": gaps,
        "unwritten_stripes": list(verdict.unwritten_stripes),
    }


def _remedy(drift: Drift) -> str:
    if drift.cause is not None:
        return "verify --repair mends it"
    is_head = drift.key.endswith("}:head")  # a rebuild itself relies on the heads
    return "takes a snapshot, or the stripe anew" if is_head else "takes a rebuild"


def _lines(verdict: _Verdict) -> Iterator[str]:
    drifts = list(verdict.drifts)
    for drift, is_left in drifts:
        yield f"drift   {verdict.key_prefix}{drift.key}  {drift.what}  [{_remedy(drift) if is_left else 'mended'}]"
    for gap, stripes in verdict.gaps.items():
        offsets = f"partition {gap.partition}, offsets {gap.from_offset} to {gap.to_offset - 1}"
        yield f"gap     {offsets}, {gap.reason_name}, found {instant(gap.time_ms)}, {len(stripes)} stripes"
    if verdict.unwritten_stripes:
        yield f"stripes without any progress: {', '.join(map(str, verdict.unwritten_stripes))}"
    left = sum(is_left for _, is_left in drifts)
    looked_at = f"projects: {len(verdict.projects)}, job records: {sum(verdict.projects.values())}"
    yield f"{looked_at}, drifted keys: {left}, mended: {len(drifts) - left}, gaps: {len(verdict.gaps)}"
