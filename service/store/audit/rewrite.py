"""Writes what was worked out from a view of a project, if nobody has written the project since.

So an answer sees all of it or nothing of it, and no consumer is held up.
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from struct import Struct

from service.store.audit.reads import ProjectReads, View
from service.store.errors import StoreUnavailableError
from service.store.layout.keys import head_key, stripe_of, totals_key
from service.store.layout.projects import Meta, pack_meta
from service.store.redis.outages import reaching
from service.store.redis.script import Command, Script, split_commands

# A project is written some dozen times a second, and to work out a plan takes milliseconds. Behind a writer that never
# pauses one attempt in some dozens succeeds.
_ATTEMPTS = 2_000
_GENERATION = Struct("<I")
_REPLACE = Script("replace.lua")


@dataclass(frozen=True, slots=True)
class Plan:
    """Commands, with whole keys, for a project as it was seen, and its meta afterwards but for the write id."""

    seen: View
    meta: Meta
    commands: Sequence[Command]


Planning = Callable[[ProjectReads], Awaitable[Plan | None]]
"""Works out what is to be written; None where nothing is."""


async def rewrite(reads: ProjectReads, planning: Planning) -> bool:
    """Carries out a plan, made anew until nobody has written in between; returns False if there was nothing to write.

    Raises what ProjectReads raises, and StoreUnavailableError if others have written again and again.
    """
    for _ in range(_ATTEMPTS):
        plan = await planning(reads)
        if plan is None:
            return False
        if await _write(reads, plan):
            return True
    raise StoreUnavailableError(f"project {reads.project_id} was written under each of {_ATTEMPTS} repairs")


async def _write(reads: ProjectReads, plan: Plan) -> bool:
    """Writes a plan if the project still is as it was seen, and returns whether it was. It is marked meanwhile."""
    stripe = stripe_of(reads.project_id)
    written, words = split_commands(plan.commands)
    keys = [head_key(stripe), f"{reads.prefix}m", totals_key(stripe, reads.generation), *written]
    generation = _GENERATION.pack(reads.generation)
    meta = replace(plan.meta, write_id=os.urandom(8))
    metas = plan.seen.meta_data or b"", pack_meta(replace(meta, unfinished_hashes=meta.hashes)), pack_meta(meta)
    with reaching(f"mending project {reads.project_id}"):
        return bool(await _REPLACE.run(reads.client, keys, generation, *metas, *words))
