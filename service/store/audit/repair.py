"""Mends what an audit has found: some places of a project, and all that depends on them, in one step.

What must be there is worked out from one atomic view, and written by a script that first makes sure that nobody has
written the project since; otherwise it is worked out anew. So an answer sees all of it or nothing of it, and no
consumer is held up. Records are taken for the truth: what is wrong with themselves only a rebuild mends.
"""

import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from struct import Struct
from typing import Any

from service.store.audit.audit import Advance, audit_project, ignore
from service.store.audit.findings import (
    Cause,
    Drift,
    Unfinished,
    WrongBottom,
    WrongCount,
    WrongListing,
    WrongPlace,
    WrongRows,
    WrongShape,
    WrongType,
)
from service.store.audit.reads import (
    GenerationChangedError,
    Pause,
    ProjectReads,
    View,
    chunks,
    no_pause,
    node_name,
    place_of,
)
from service.store.audit.repair_tree import Mending, path_of
from service.store.audit.shape import listed_entries
from service.store.audit.tree import possible_children
from service.store.errors import StoreUnavailableError
from service.store.layout.heads import LAYOUT_VERSION
from service.store.layout.keys import head_key, stripe_of
from service.store.layout.projects import Meta, pack_meta
from service.store.layout.records import job_hash
from service.store.layout.tree import Node
from service.store.redis.outages import reaching
from service.store.redis.script import Script
from service.store.redis.views import FOREIGN, Client, DamagedError

_ROUNDS = 8  # what is mended may bring to light what lies below it
_ATTEMPTS = 200  # a project is written some dozen times a second, and to work it out takes milliseconds
_PLACES, _JOBS = 64, 2_000  # mended in one step
_STAMP = Struct("<II")  # layout version, generation
_REPLACE = Script("replace.lua")

Command = tuple[Any, ...]
_NodeCause = WrongBottom | WrongRows | WrongListing | WrongShape


@dataclass(frozen=True, slots=True)
class Repair:
    """Every drift that was found, and what of it is still there."""

    found: list[Drift]
    left: list[Drift]


@dataclass(frozen=True, slots=True)
class _Plan:
    """Commands that mend a project as it was seen, and its meta afterwards."""

    seen: View
    meta: Meta
    commands: list[Command]


async def repair_project(client: Client, project_id: str, advance: Advance = ignore, pause: Pause = no_pause) -> Repair:
    """Audits a project and mends what can be mended, until nothing of it is left; a mark is left.

    `pause` is awaited after each read. `client` must not repeat a command by itself. Raises StoreUnavailableError,
    LayoutError.
    """
    found: dict[Drift, None] = {}
    drifts = await audit_project(client, project_id, advance, pause)
    for _ in range(_ROUNDS):
        found |= dict.fromkeys(drifts)
        causes = [drift.cause for drift in drifts if not isinstance(drift.cause, Unfinished | None)]
        if not causes:
            break
        try:
            reads = await ProjectReads.open(client, project_id)
            for plan in _plans(reads, causes):
                await _carry_out(reads, plan)
        except (GenerationChangedError, DamagedError):
            pass  # the next audit is of the generation that is live now, or says what is damaged
        drifts = await audit_project(client, project_id, pause=pause)
    return Repair(list(found), drifts)


def _plans(reads: ProjectReads, causes: Sequence[Cause]) -> Iterator[Callable[[], Awaitable[_Plan | None]]]:
    """What to do about the causes, each step by itself. Nothing is judged by records that lie in the wrong hash."""
    places = [cause for cause in causes if isinstance(cause, WrongPlace)]
    if places:
        yield from (partial(_plan_places, reads, some) for some in chunks(places))
        return
    for group in _groups(causes):
        yield partial(_plan_nodes, reads, group)
    for cause in causes:  # what is not overwritten by now
        if isinstance(cause, WrongType):
            yield partial(_plan_type, reads, cause)
    if any(isinstance(cause, WrongCount) for cause in causes):
        yield partial(_plan_count, reads)


def _groups(causes: Sequence[Cause]) -> Iterator[list[_NodeCause]]:
    group: list[_NodeCause] = []
    jobs = 0
    # of a bottom node what its jobs say comes last, and is all that need be done
    bottoms = {cause.node: cause for cause in causes if isinstance(cause, WrongBottom)}
    causes = [cause for cause in causes if not isinstance(cause, WrongBottom) or bottoms[cause.node] is cause]
    for kind in (WrongBottom, WrongRows, WrongListing, WrongShape):  # from below: what lies above depends on it
        for cause in causes:
            if isinstance(cause, kind):
                more = len(cause.jobs) if isinstance(cause, WrongBottom) else 0
                if group and (len(group) == _PLACES or jobs + more > _JOBS):
                    yield group
                    group, jobs = [], 0
                group.append(cause)
                jobs += more
    if group:
        yield group


async def _carry_out(reads: ProjectReads, plan: Callable[[], Awaitable[_Plan | None]]) -> None:
    for _ in range(_ATTEMPTS):
        planned = await plan()
        if planned is None or await _write(reads, planned):
            return
    raise StoreUnavailableError(f"project {reads.project_id} was written under each of {_ATTEMPTS} repairs")


async def _write(reads: ProjectReads, plan: _Plan) -> bool:
    """Whether the project was still as it was seen, and now is as planned."""
    commands = [(command, reads.prefix + name, *arguments) for command, name, *arguments in plan.commands]
    return await replace_project(reads, plan.seen, replace(plan.meta, write_id=os.urandom(8)), commands)


async def replace_project(reads: ProjectReads, seen: View, meta: Meta, commands: Sequence[Command]) -> bool:
    """Carries out commands, with whole keys, and writes a meta, if the project still is as it was seen; whether it was.

    The project is marked meanwhile. Raises StoreUnavailableError.
    """
    words: list[Any] = [word for command in commands for word in (len(command), *command)]
    keys = [head_key(stripe_of(reads.project_id)), f"{reads.prefix}m"]
    stamp = _STAMP.pack(LAYOUT_VERSION, reads.generation)
    metas = seen.meta_data or b"", pack_meta(replace(meta, unfinished_hashes=meta.hashes)), pack_meta(meta)
    with reaching(f"mending project {reads.project_id}"):
        return bool(await _REPLACE.run(reads.client, keys, stamp, *metas, *words))


async def _plan_nodes(reads: ProjectReads, causes: Sequence[_NodeCause]) -> _Plan | None:
    places = [cause.node for cause in causes if not isinstance(cause, WrongShape)]
    above = {node: None for place in places for node in (place, *path_of(place))}
    nodes: list[Node] = list(above | {child: None for node in above for child in possible_children(node)})
    jobs = {job for cause in causes if isinstance(cause, WrongBottom) for job in cause.jobs}
    view, records = await reads.records(["s", *map(node_name, nodes)], jobs)
    if view.meta is None:
        return None
    shape = view.strings[0]
    mending = Mending(dict(zip(nodes, view.strings[1:], strict=True)), listed_entries(shape))
    for cause in causes:
        match cause:
            case WrongBottom(node, of_jobs, surplus):
                mending.mend_bottom(node, [records[job] for job in of_jobs if job in records], surplus)
            case WrongRows(node):
                mending.mend_rows(node)
            case WrongListing(node):
                mending.mend_listing(node)
            case WrongShape():
                pass  # whatever there cannot be is left out
    commands: list[Command] = [
        ("SET", node_name(node), string) if string is not None else ("DEL", node_name(node))
        for node, string in mending.changed.items()
    ]
    meta = view.meta
    if mending.shape_data() != (shape or b""):
        commands.append(("SET", "s", mending.shape_data()))
        meta = replace(meta, shape_id=os.urandom(8))
    return _Plan(view, meta, commands) if commands else None


async def _plan_type(reads: ProjectReads, cause: WrongType) -> _Plan | None:
    """Deletes a value of a foreign type: whatever belongs there is planted anew, if anything does."""
    view = await reads.view([])
    is_there = cause.name in await reads.foreign([cause.name])
    return _Plan(view, view.meta, [("DEL", cause.name)]) if view.meta and is_there else None


async def _plan_places(reads: ProjectReads, causes: Sequence[WrongPlace]) -> _Plan | None:
    """Moves records into their own hashes; where there is one already, the later version stays."""
    meta = (await reads.view([])).meta
    if meta is None:
        return None
    moves = [(cause.job, cause.number, place_of(job_hash(cause.job), meta.hashes)) for cause in causes]
    asked = [("HGET", f"j:{number}", job) for job, *numbers in moves for number in numbers]
    view = await reads.view([], asked)
    if view.meta is None or view.meta.hashes != meta.hashes:
        return None
    arriving, leaving = list[Command](), list[Command]()
    for (job, number, own), record, present in zip(moves, view.replies[::2], view.replies[1::2], strict=True):
        if own == number or record in {None, FOREIGN} or present is FOREIGN:
            continue
        if present is None or _version(record) > _version(present):
            arriving.append(("HSET", f"j:{own}", job, record))
        leaving.append(("HDEL", f"j:{number}", job))
    return _Plan(view, view.meta, [*arriving, *leaving]) if leaving else None


def _version(record: bytes) -> tuple[int, ...]:
    """What orders records of one job: sequence, event time, status; on a tie start, size, user."""
    sequence, time_ms, start_ms, size_bytes, user = (
        int.from_bytes(record[start:stop], "little") for start, stop in ((0, 4), (4, 11), (11, 18), (18, 25), (25, 31))
    )
    return sequence, time_ms, record[31], start_ms, size_bytes, user


async def _plan_count(reads: ProjectReads) -> _Plan | None:
    meta = (await reads.view([])).meta
    if meta is None:
        return None
    view = await reads.view([], [("HLEN", f"j:{number}") for number in range(meta.hashes)])
    records = sum(reply for reply in view.replies if reply is not FOREIGN)
    if view.meta is None or view.meta.hashes != meta.hashes or view.meta.records >= records:
        return None  # a meta that says more knows of some that are lost
    return _Plan(view, replace(view.meta, records=records), [])
