"""Mends a project, also one that a write has left in part.

A script that ends after its first write leaves the mark in the meta of each project that it was about to change. The
records are the truth: whatever of the rest is there, the tree is made what they say, and the batch comes again, as the
head did not move. Until the mark is gone readers get no number of the project, and no batch is applied to it.
"""

import os
from dataclasses import replace

from service.store.audit.audit import Advance, ignore
from service.store.audit.findings import Unfinished
from service.store.audit.reads import GenerationChangedError, Pause, ProjectReads, View, no_pause
from service.store.audit.repair import Command, Repair, repair_project, replace_project
from service.store.errors import StoreUnavailableError
from service.store.layout.keys import projects_key, stripe_of
from service.store.layout.projects import NAMING_BYTES, Meta, parse_user
from service.store.redis.views import FOREIGN, Client, DamagedError
from service.store.write.batch import pack_user

_ATTEMPTS = 20


async def mend_project(client: Client, project_id: str, advance: Advance = ignore, pause: Pause = no_pause) -> Repair:
    """Makes a project's tree and names what its records say, and takes away the mark of an unfinished write.

    The mark stays where drift is left that could be mended. `pause` is awaited after each read. `client` must not
    repeat a command by itself. Raises StoreUnavailableError, LayoutError.
    """
    is_marked = await _settle_records(client, project_id)
    # nobody has an answer of a marked project meanwhile
    repair = await repair_project(client, project_id, advance, no_pause if is_marked else pause)
    left = [drift for drift in repair.left if not isinstance(drift.cause, Unfinished)]
    if not is_marked or any(drift.cause for drift in left):
        return repair
    await _unmark(client, project_id)
    return Repair(repair.found, left)


async def _settle_records(client: Client, project_id: str) -> bool:
    """Whether the project is marked; then all record hashes that the write may have begun belong to it."""
    for _ in range(_ATTEMPTS):
        try:
            reads = await ProjectReads.open(client, project_id)
            view = await reads.view(["t"], [("HGETALL", "u")])
        except GenerationChangedError:
            continue
        except DamagedError:
            return False  # an audit says what is damaged
        meta = view.meta
        if meta is None or not meta.unfinished_hashes:
            return False
        hashes = max(meta.hashes, meta.unfinished_hashes)
        commands: list[Command] = [("SADD", projects_key(stripe_of(project_id), reads.generation), project_id)]
        old_times = view.strings[0] or b""
        users = view.replies[0]
        times = old_times if users is FOREIGN else _namings(users, old_times)
        if times != old_times:
            commands.append(("SET", f"{reads.prefix}t", times))
        if await _replace(reads, view, replace(meta, hashes=hashes, unfinished_hashes=hashes), commands):
            return True
    raise StoreUnavailableError(f"project {project_id} was written under each of {_ATTEMPTS} repairs")


def _namings(users: dict[bytes, bytes], old: bytes) -> bytes:
    """The string `t` for the names in `u`; who was not named in it before is named at instant 0."""
    times_ms = {
        old[at : at + 6]: int.from_bytes(old[at + 6 : at + 13], "little") for at in range(0, len(old), NAMING_BYTES)
    }
    ordered = sorted(users, key=lambda user: int.from_bytes(user, "little"))
    return b"".join(_naming(*parse_user(users[user]), times_ms.get(user, 0)) for user in ordered)


def _naming(user_id: str, name: str, time_ms: int) -> bytes:
    return pack_user(user_id, time_ms, name)[:NAMING_BYTES]


async def _unmark(client: Client, project_id: str) -> None:
    for _ in range(_ATTEMPTS):
        reads = await ProjectReads.open(client, project_id)
        try:
            view = await reads.view([])
        except GenerationChangedError:
            continue
        meta = view.meta
        if meta is None or not meta.unfinished_hashes:
            return
        if await _replace(reads, view, replace(meta, unfinished_hashes=0), []):
            return
    raise StoreUnavailableError(f"project {project_id} was written under each of {_ATTEMPTS} repairs")


async def _replace(reads: ProjectReads, seen: View, meta: Meta, commands: list[Command]) -> bool:
    """Whether the project was still as it was seen; nothing that anybody remembers of it holds any more."""
    meta = replace(meta, write_id=os.urandom(8), shape_id=os.urandom(8), names_id=os.urandom(8))
    return await replace_project(reads, seen, meta, commands)
