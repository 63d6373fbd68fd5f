"""Mends a project, also one that a write has left in part.

A script that ends after its first write leaves the mark in the meta of each project that it was about to change. The
records are the truth: whatever of the rest is there, the tree is made what they say, and the batch comes again, as the
head did not move. Until the mark is gone readers get no number of the project, and no batch is applied to it.
"""

import os
from dataclasses import replace
from functools import partial

from service.store.audit.audit import Advance, Weigh, forget_sizes, ignore
from service.store.audit.findings import Unfinished
from service.store.audit.reads import Pause, ProjectReads, View, no_pause, on_live_generation
from service.store.audit.repair import Repair, repair_project
from service.store.audit.rewrite import Plan, Planning, rewrite
from service.store.audit.totals import settle_totals
from service.store.layout.keys import projects_key, stripe_of
from service.store.layout.projects import (
    Meta,
    Naming,
    naming_digest,
    pack_namings,
    parse_namings,
    read_user,
)
from service.store.redis.script import Command
from service.store.redis.views import FOREIGN, Client, DamagedError


async def mend_project(
    client: Client,
    project_id: str,
    advance: Advance = ignore,
    pause: Pause = no_pause,
    weigh: Weigh = forget_sizes,
) -> Repair:
    """Makes a project's tree and names what its records say, and takes away the mark of an unfinished write.

    The stripe's totals are then counted anew. The mark stays where drift is left that could be mended. `pause` is
    awaited after each read, and `weigh` hears what was there, see audit_project. `client` must not repeat a command by
    itself. Raises StoreUnavailableError, LayoutError.
    """
    is_marked = await _rewrite_marked(client, project_id, _plan_records)
    # nobody has an answer of a marked project meanwhile
    repair = await repair_project(client, project_id, advance, no_pause if is_marked else pause, weigh)
    if not is_marked and not repair.found:
        return repair
    left = [drift for drift in repair.left if not isinstance(drift.cause, Unfinished)]
    if is_marked and not any(drift.cause for drift in left):
        await _rewrite_marked(client, project_id, _plan_unmarked)
        repair = Repair(repair.found, left)
    await settle_totals(client, stripe_of(project_id))
    return repair


async def _rewrite_marked(client: Client, project_id: str, planning: Planning) -> bool:
    """Rewrites a project that is marked; returns False if it is not, or so damaged that only an audit says how."""
    try:
        return await on_live_generation(client, project_id, partial(rewrite, planning=planning))
    except DamagedError:
        return False


async def _plan_records(reads: ProjectReads) -> Plan | None:
    """Makes all record hashes that the write may have begun belong to the project, and lists project and names."""
    view = await reads.view(["t"], [("HGETALL", "u")])
    meta = view.meta
    if meta is None or not meta.unfinished_hashes:
        return None
    hashes = max(meta.hashes, meta.unfinished_hashes)
    commands: list[Command] = [("SADD", projects_key(stripe_of(reads.project_id), reads.generation), reads.project_id)]
    old_times, users = view.strings[0] or b"", view.replies[0]
    times = old_times if users is FOREIGN else _namings(users, old_times)
    if times != old_times:
        commands.append(("SET", f"{reads.prefix}t", times))
    return _plan_anew(view, replace(meta, hashes=hashes, unfinished_hashes=hashes), commands)


async def _plan_unmarked(reads: ProjectReads) -> Plan | None:
    view = await reads.view([])
    if view.meta is None or not view.meta.unfinished_hashes:
        return None
    return _plan_anew(view, replace(view.meta, unfinished_hashes=0), [])


def _plan_anew(view: View, meta: Meta, commands: list[Command]) -> Plan:
    """Returns a plan after which nothing that anybody remembers of the project holds any more."""
    return Plan(view, replace(meta, shape_id=os.urandom(8), names_id=os.urandom(8)), commands)


def _namings(users: dict[bytes, bytes], old: bytes) -> bytes:
    """Returns the string `t` for the names in `u`; who was not named in it before is named at instant 0.

    Of a name that cannot be read what was there stays; an audit says so.
    """
    namings = {naming.user: naming for naming in parse_namings(old)}
    for user, value in users.items():
        naming, named = namings.get(user, Naming(user, 0, bytes(6))), read_user(value)
        namings[user] = naming._replace(digest=naming_digest(*named)) if named else naming
    return pack_namings(namings[user] for user in users)
