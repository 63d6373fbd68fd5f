"""Mends what an audit has found: some places of a project, and all that depends on them, in one step.

What must be there is worked out from one atomic view, and written if nobody has written the project since (see
rewrite). Records are taken for the truth: what is wrong with themselves only a rebuild mends.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from service.store.audit.audit import Advance, Weigh, audit_project, forget_sizes, ignore
from service.store.audit.findings import Cause, Drift, Unfinished, WrongCount, WrongNode, WrongPlace, WrongShape
from service.store.audit.reads import GenerationChangedError, Pause, ProjectReads, chunks, no_pause, node_name
from service.store.audit.records import count_records
from service.store.audit.repair_tree import Mending
from service.store.audit.rewrite import Plan, Planning, rewrite
from service.store.audit.shape import listed_entries
from service.store.layout.records import parse_record, place_of
from service.store.layout.tree import Node, path_of, possible_children
from service.store.redis.script import Command
from service.store.redis.views import FOREIGN, Client, DamagedError

_ROUNDS = 8  # what is mended may bring to light what lies below it
_PLACES, _JOBS = 64, 2_000  # mended in one step


@dataclass(frozen=True, slots=True)
class Repair:
    """Every drift that was found, and what of it is still there."""

    found: list[Drift]
    left: list[Drift]


async def repair_project(
    client: Client,
    project_id: str,
    advance: Advance = ignore,
    pause: Pause = no_pause,
    weigh: Weigh = forget_sizes,
) -> Repair:
    """Audits a project and mends what can be mended, until nothing of it is left; a mark is left.

    `pause` is awaited after each read, and `weigh` hears what was there, see audit_project. `client` must not
    repeat a command by itself. Raises StoreUnavailableError, LayoutError.
    """
    found: dict[Drift, None] = {}
    drifts = await audit_project(client, project_id, advance, pause, weigh)
    for _ in range(_ROUNDS):
        found |= dict.fromkeys(drifts)
        causes = [drift.cause for drift in drifts if not isinstance(drift.cause, Unfinished | None)]
        if not causes:
            break
        try:
            reads = await ProjectReads.open(client, project_id)
            for planning in _steps(causes):
                await rewrite(reads, planning)
        except (GenerationChangedError, DamagedError):
            pass  # the next audit is of the generation that is live now, or says what is damaged
        drifts = await audit_project(client, project_id, pause=pause)
    return Repair(list(found), drifts)


def _steps(causes: Sequence[Cause]) -> Iterator[Planning]:
    """Returns what to do about the causes, step by step. Nothing is judged by records that lie in the wrong hash."""
    places = [cause for cause in causes if isinstance(cause, WrongPlace)]
    if places:
        yield from (partial(_plan_places, causes=some) for some in chunks(places))
        return
    groups = list(_groups([cause for cause in causes if isinstance(cause, WrongNode)]))
    if not groups and any(isinstance(cause, WrongShape) for cause in causes):
        groups = [[]]  # each group puts the shape in order
    yield from (partial(_plan_nodes, causes=group) for group in groups)
    if any(isinstance(cause, WrongCount) for cause in causes):
        yield _plan_count


def _groups(causes: Sequence[WrongNode]) -> Iterator[list[WrongNode]]:
    """Returns each node once, in groups that are mended in one step.

    First come those of which records tell, as what lies above depends on them; that is all that need be known of them.
    """
    by_node: dict[Node, WrongNode] = {}
    for cause in sorted(causes, key=lambda cause: not (cause.jobs or cause.surplus)):
        by_node.setdefault(cause.node, cause)
    group: list[WrongNode] = []
    jobs = 0
    for cause in by_node.values():
        if group and (len(group) == _PLACES or jobs + len(cause.jobs) > _JOBS):
            yield group
            group, jobs = [], 0
        group.append(cause)
        jobs += len(cause.jobs)
    if group:
        yield group


async def _plan_nodes(reads: ProjectReads, causes: Sequence[WrongNode]) -> Plan | None:
    above = {node: None for cause in causes for node in (cause.node, *path_of(cause.node))}
    nodes: list[Node] = list(above | {child: None for node in above for child in possible_children(node)})
    view, records = await reads.records(["s", *map(node_name, nodes)], {job for cause in causes for job in cause.jobs})
    if view.meta is None:
        return None
    shape, *found = view.strings
    strings = dict(zip(nodes, found, strict=True))
    mending = Mending(strings, listed_entries(shape))
    for cause in causes:
        mending.mend(cause.node, [records[job] for job in cause.jobs if job in records], cause.surplus)
    # what reads as absent may be of a foreign type
    changed = {cause.node: None for cause in causes if strings[cause.node] is None} | mending.changed
    commands: list[Command] = [
        ("DEL", reads.prefix + node_name(node)) if string is None else ("SET", reads.prefix + node_name(node), string)
        for node, string in changed.items()
    ]
    meta = view.meta
    if mending.shape_data() != (shape or b""):
        commands.append(("SET", f"{reads.prefix}s", mending.shape_data()))
        meta = replace(meta, shape_id=os.urandom(8))
    elif shape is None:
        commands.append(("DEL", f"{reads.prefix}s"))
    return Plan(view, meta, commands) if commands else None


async def _plan_places(reads: ProjectReads, causes: Sequence[WrongPlace]) -> Plan | None:
    """Moves records into their own hashes; where there is one already, the later version stays."""

    def commands(hashes: int) -> list[Command]:
        places = ((cause, number) for cause in causes for number in (cause.number, place_of(cause.job, hashes)))
        return [("HGET", f"j:{number}", cause.job) for cause, number in places]

    view = await reads.view_of_hashes([], commands)
    if view.meta is None:
        return None
    arriving, leaving = list[Command](), list[Command]()
    for cause, record, present in zip(causes, view.replies[::2], view.replies[1::2], strict=True):
        own = place_of(cause.job, view.meta.hashes)
        if own == cause.number or record in {None, FOREIGN} or present is FOREIGN:
            continue
        if present is None or _is_later(record, present):
            arriving.append(("HSET", f"{reads.prefix}j:{own}", cause.job, record))
        leaving.append(("HDEL", f"{reads.prefix}j:{cause.number}", cause.job))
    return Plan(view, view.meta, [*arriving, *leaving]) if leaving else None


def _is_later(one: bytes, other: bytes) -> bool:
    said, said_by_other = parse_record(one), parse_record(other)
    return said is not None and (said_by_other is None or said.version > said_by_other.version)


async def _plan_count(reads: ProjectReads) -> Plan | None:
    view, records = await count_records(reads)
    if view.meta is None or view.meta.records >= records:
        return None  # a meta that says more knows of some that are lost
    return Plan(view, replace(view.meta, records=records), [])
