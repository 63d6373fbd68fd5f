"""Which projects the store holds, and what is wrong with what leads to them.

Lists of projects may be damaged themselves, so one pass of SCAN over all keys says which projects there are; where one
project alone is asked for, the list and the project's own keys do.
"""

import struct
from dataclasses import dataclass, field
from typing import Any

from service.store.audit.findings import Drift
from service.store.audit.reads import chunks
from service.store.audit.stripes import Found, check_generations, check_ledger, check_list, find_all
from service.store.errors import LayoutError
from service.store.layout.gaps import Gap
from service.store.layout.heads import LAYOUT_VERSION, Head
from service.store.layout.keys import STRIPES, gaps_key, head_key, project_prefix, projects_key, stripe_of
from service.store.layout.projects import parse_meta
from service.store.redis.outages import reaching
from service.store.redis.views import Client, DamagedError, parse_stored_head, read_at_once, read_head

_DAY_MS = 86_400_000  # a horizon is the start of a UTC day


@dataclass(slots=True)
class Scope:
    """What there is to audit: the number of job records by project, and what was found on the way there.

    For a damaged head an empty one stands. `unkept` are projects that are listed and have no meta.
    """

    heads: list[Head] = field(default_factory=list)
    damaged: dict[int, DamagedError] = field(default_factory=dict)  # heads, by stripe
    projects: dict[str, int] = field(default_factory=dict)
    unkept: set[str] = field(default_factory=set)
    gaps: dict[int, list[Gap]] = field(default_factory=dict)
    drifts: list[Drift] = field(default_factory=list)


async def survey(client: Client, only: str | None) -> Scope:
    """Looks at all stripes, for all projects or for one if it is there. Raises StoreUnavailableError, LayoutError."""
    scope = Scope()
    await _read_heads(client, scope)
    with reaching("reading the list of projects"):
        found = await find_all(client) if only is None else await _find_one(client, only, scope)
        for stripe in range(STRIPES) if only is None else [stripe_of(only)]:
            try:
                await _look_at(client, stripe, only, found, scope)
            except DamagedError as damage:
                projects = sorted({project for (of, _), some in found.items() if of == stripe for project in some})
                scope.drifts += [Drift(project, damage.key, damage.what) for project in (None, *projects)]
    return scope


async def _read_heads(client: Client, scope: Scope) -> None:
    """Reads all heads. A store of which no stripe has our layout is of another; if one has, the rest is damaged."""
    other: LayoutError | None = None
    for stripe in range(STRIPES):
        head = Head(LAYOUT_VERSION, ())
        try:
            head = await read_head(client, stripe)
            if head.live.horizon_ms % _DAY_MS:
                what = f"says a horizon that is no day: {head.live.horizon_ms}"
                scope.damaged[stripe] = DamagedError(head_key(stripe), what)
        except LayoutError as error:
            other = error
            scope.damaged[stripe] = DamagedError(head_key(stripe), f"is no head: {error}")
        except DamagedError as error:
            scope.damaged[stripe] = error
        scope.heads.append(head)
    if other is not None and not any(head.progress for head in scope.heads):
        raise other


async def _find_one(client: Client, project: str, scope: Scope) -> Found:
    stripe = stripe_of(project)
    generation = scope.heads[stripe].generation
    prefix = project_prefix(project, generation)
    is_there = await client.exists(*[prefix + name for name in ("m", "s", "t", "u", "j:0")])
    return {(stripe, generation): {project}} if is_there else {}


async def _look_at(client: Client, stripe: int, only: str | None, found: Found, scope: Scope) -> None:
    if stripe in scope.damaged:
        raise scope.damaged[stripe]
    generation = scope.heads[stripe].generation
    ledger_key, list_key = gaps_key(stripe, generation), projects_key(stripe, generation)
    commands = [("GET", head_key(stripe)), ("GET", ledger_key), ("SMEMBERS", list_key)]
    head_data, ledger, members = await read_at_once(client, commands)
    gaps, of_ledger = check_ledger(ledger_key, ledger, parse_stored_head(stripe, head_data).gaps)
    projects, of_list = check_list(list_key, stripe, members, found.get((stripe, generation), set()))
    astray = await check_generations(client, stripe, generation, found)
    records = await _count_records(client, generation, [each for each in projects if only in {None, each}])
    scope.projects |= {project: number or 0 for project, number in records.items()}
    if gaps:
        scope.gaps[stripe] = gaps
    if (await read_head(client, stripe)).generation == generation:  # else a rebuild has swapped meanwhile
        scope.drifts += [*of_ledger, *astray, *of_list]
        scope.unkept |= {project for project, number in records.items() if number is None}


async def _count_records(client: Client, generation: int, projects: list[str]) -> dict[str, int | None]:
    """Returns the number of records that each project's meta says; None where there is no meta."""
    found: dict[str, int | None] = {}
    for some in chunks(projects):
        metas: Any = await client.mget([f"{project_prefix(project, generation)}m" for project in some])
        for project, meta in zip(some, metas, strict=True):
            try:
                found[project] = None if meta is None else parse_meta(meta).records
            except struct.error:
                found[project] = 0
    return found
