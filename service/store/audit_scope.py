"""Which projects the store holds, and whether heads, lists and ledgers of the stripes are what they must be.

Lists of projects may be damaged themselves, so one pass of SCAN over all keys says which projects there are; where one
project alone is asked for the list and the project's own keys do.
"""

import re
import struct
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from service.store.audit_findings import Drift, WrongMembers
from service.store.audit_reads import Client, DamagedError, chunks, parse_stored_head, read_head
from service.store.contract import REDIS_ERRORS, LayoutError, StoreUnavailableError
from service.store.foreign import is_foreign
from service.store.gaps import Gap, find_ledger_problems, parse_gaps, read_ledger
from service.store.layout import (
    LAYOUT_VERSION,
    STRIPES,
    Head,
    building_head_key,
    gaps_key,
    head_key,
    parse_meta,
    project_prefix,
    projects_key,
    retired_key,
    stripe_of,
)

_LOOKED_AT_PER_CALL = 1_000
_DAY_MS = 86_400_000  # a horizon is the start of a UTC day
_ID = re.compile(rb"[A-Za-z0-9_-]{1,64}")
_KEY = re.compile(rb"\{s(\d\d)\}(\d*):([A-Za-z0-9_-]{1,64}):")

Found = dict[tuple[int, int], set[str]]
"""Ids of projects that have keys, by stripe and generation."""


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
    try:
        found = await _find_keys(client, only, scope.heads)
        stripes = range(STRIPES) if only is None else [stripe_of(only)]
        for stripe in stripes:
            damage = scope.damaged.get(stripe)
            if damage is not None:
                projects = sorted({project for (of, _), some in found.items() if of == stripe for project in some})
                scope.drifts += [Drift(project, damage.key, damage.what) for project in (None, *projects)]
                continue
            await _look_at(client, stripe, only, found, scope)
    except REDIS_ERRORS as error:
        raise StoreUnavailableError(f"reading the list of projects: {error}") from error
    return scope


async def _read_heads(client: Client, scope: Scope) -> None:
    """A store of which no stripe has our layout is of another; if one has, the rest is damaged."""
    damaged = scope.damaged
    other: LayoutError | None = None
    for stripe in range(STRIPES):
        head = Head(LAYOUT_VERSION, ())
        try:
            head = await read_head(client, stripe)
            if head.live.horizon_ms % _DAY_MS:
                damaged[stripe] = DamagedError(
                    head_key(stripe), f"says a horizon that is no day: {head.live.horizon_ms}"
                )
        except LayoutError as error:
            other = error
            damaged[stripe] = DamagedError(head_key(stripe), f"is no head: {error}")
        except DamagedError as error:
            damaged[stripe] = error
        scope.heads.append(head)
    if other is not None and not any(head.progress for head in scope.heads):
        raise other


async def _find_keys(client: Client, only: str | None, heads: list[Head]) -> Found:
    found: Found = defaultdict(set)
    if only is not None:
        stripe = stripe_of(only)
        prefix = project_prefix(only, heads[stripe].generation)
        if await client.exists(*[prefix + name for name in ("m", "s", "t", "u", "j:0")]):
            found[stripe, heads[stripe].generation].add(only)
        return found
    async for key in client.scan_iter(match="{s[0-9][0-9]}*", count=_LOOKED_AT_PER_CALL):
        match = _KEY.match(key)
        if match and stripe_of(match[3].decode()) == int(match[1]):
            found[int(match[1]), int(match[2] or 0)].add(match[3].decode())
    return found


async def _look_at(client: Client, stripe: int, only: str | None, found: Found, scope: Scope) -> None:
    generation, drifts, unkept = scope.heads[stripe].generation, list(scope.drifts), set(scope.unkept)
    await _check_ledger(client, stripe, scope)
    await _check_generations(client, stripe, found, scope)
    listed = await _check_list(client, stripe, found, scope)
    await _count_records(client, stripe, [each for each in listed if only in {None, each}], scope)
    if (await read_head(client, stripe)).generation != generation:  # a rebuild has swapped: that was of the former one
        scope.drifts, scope.unkept = drifts, unkept


async def _check_ledger(client: Client, stripe: int, scope: Scope) -> None:
    head = scope.heads[stripe]
    key, ledger = gaps_key(stripe, head.generation), await read_ledger(client, stripe, head.generation)
    now = await read_head(client, stripe)
    if now.live != head.live or now.gaps != head.gaps:  # being written: what is there now is of another head
        head, ledger = now, await read_ledger(client, stripe, now.generation)
    if ledger is None:
        scope.drifts.append(Drift(None, key, "is no string"))
    elif ledger or head.gaps:
        scope.drifts += [Drift(None, key, problem) for problem in find_ledger_problems(ledger, head.gaps)]
        scope.gaps[stripe] = parse_gaps(ledger)


async def _check_generations(client: Client, stripe: int, found: Found, scope: Scope) -> None:
    """Projects of a generation that is neither live, nor being built, nor retired: the head does not lead there."""
    live = scope.heads[stripe].generation
    for (of, generation), projects in sorted(found.items()):
        if of == stripe and generation != live:
            for project in sorted(projects):
                if await _is_astray(client, stripe, generation, project):
                    what = f"says generation {live}, and the project is in generation {generation}"
                    scope.drifts.append(Drift(project, head_key(stripe), what))


async def _is_astray(client: Client, stripe: int, generation: int, project: str) -> bool:
    async with client.pipeline(transaction=True) as pipeline:
        pipeline.execute_command("GET", head_key(stripe))
        pipeline.execute_command("EXISTS", building_head_key(stripe, generation) if generation else retired_key(stripe))
        pipeline.execute_command("SISMEMBER", retired_key(stripe), generation)
        pipeline.execute_command("EXISTS", f"{project_prefix(project, generation)}m")
        head_data, is_building, is_retired, is_there = await pipeline.execute()
    if parse_stored_head(stripe, head_data).generation == generation or is_retired or not is_there:
        return False
    return not (generation and is_building)


async def _check_list(client: Client, stripe: int, found: Found, scope: Scope) -> list[str]:
    """The stripe's projects: those listed, and those that have keys."""
    generation = scope.heads[stripe].generation
    key = projects_key(stripe, generation)
    there = found.get((stripe, generation), set())
    try:
        reply: Any = await client.smembers(key)
        members = {bytes(member) for member in reply}
    except REDIS_ERRORS as error:
        if not is_foreign(error):
            raise
        scope.drifts.append(Drift(None, key, "is no set", WrongMembers(key, frozenset(there), frozenset(), True)))
        return sorted(there)
    surplus = {each for each in members if not _ID.fullmatch(each) or stripe_of(each.decode()) != stripe}
    listed = {each.decode() for each in members - surplus}
    # begun since the list was read, or not by us: a meta that is there now decides
    lacking = {each for each in there - listed if not await client.sismember(key, each)}
    for each in sorted(lacking):
        cause = WrongMembers(key, frozenset({each}), frozenset(), False)
        scope.drifts.append(Drift(None, key, f"lacks project {each}", cause))
    for member in sorted(surplus):
        cause = WrongMembers(key, frozenset(), frozenset({member}), False)
        scope.drifts.append(Drift(None, key, f"has a member that is no project of the stripe: {member!r}", cause))
    return sorted(listed | there)


async def _count_records(client: Client, stripe: int, projects: list[str], scope: Scope) -> None:
    for some in chunks(projects):
        prefixes = [project_prefix(project, scope.heads[stripe].generation) for project in some]
        metas: Any = await client.mget([f"{prefix}m" for prefix in prefixes])
        for project, meta in zip(some, metas, strict=True):
            scope.projects[project] = _records(meta)
            if meta is None:
                scope.unkept.add(project)


def _records(meta: bytes | None) -> int:
    try:
        return parse_meta(meta).records if meta else 0
    except struct.error:
        return 0
