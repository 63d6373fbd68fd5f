"""What belongs to a stripe as a whole: the ledger of gaps, the list of projects, the generation that the head names."""

import re
from collections import defaultdict
from collections.abc import Iterable, Set

from service.store.audit.findings import Drift, WrongMembers
from service.store.layout.gaps import Gap, find_ledger_problems, parse_gaps
from service.store.layout.keys import (
    building_head_key,
    head_key,
    project_prefix,
    retired_key,
    stripe_of,
)
from service.store.redis.views import FOREIGN, Client, Foreign, parse_stored_head, read_at_once, scan_keys

_ID = re.compile(rb"[A-Za-z0-9_-]{1,64}")
_KEY = re.compile(rb"\{s(\d\d)\}(\d*):([A-Za-z0-9_-]{1,64}):")

Found = dict[tuple[int, int], set[str]]
"""Ids of projects that have keys, by stripe and generation."""


async def find_all(client: Client) -> Found:
    """Returns every project, by one pass over all keys. Raises what the client raises."""
    found: Found = defaultdict(set)
    async for key in scan_keys(client):
        match = _KEY.match(key)
        if match and stripe_of(match[3].decode()) == int(match[1]):
            found[int(match[1]), int(match[2] or 0)].add(match[3].decode())
    return found


async def check_generations(client: Client, stripe: int, live: int, found: Found) -> list[Drift]:
    """Finds projects of a generation that is neither live, nor being built, nor retired: no head leads there."""
    return [
        Drift(
            project,
            head_key(stripe),
            f"says generation {live}, and the project is in generation {generation}",
        )
        for (of, generation), projects in sorted(found.items())
        if of == stripe and generation != live
        for project in sorted(projects)
        if await _is_astray(client, stripe, generation, project)
    ]


async def _is_astray(client: Client, stripe: int, generation: int, project: str) -> bool:
    head_data, is_building, retired, is_there = await read_at_once(
        client,
        [
            ("GET", head_key(stripe)),
            ("EXISTS", building_head_key(stripe, generation)),
            ("SISMEMBER", retired_key(stripe), generation),
            ("EXISTS", f"{project_prefix(project, generation)}m"),
        ],
    )
    is_retired = retired is not FOREIGN and retired
    if parse_stored_head(stripe, head_data).generation == generation or is_retired or not is_there:
        return False
    return not (generation and is_building)  # the live head has the key that generation 0 would have


def check_ledger(key: str, ledger: bytes | Foreign | None, rows: int) -> tuple[list[Gap], list[Drift]]:
    """Returns the gaps of a stripe, and what is wrong with their ledger; the head says that it has so many rows."""
    if isinstance(ledger, Foreign):
        return [], [Drift(None, key, "is no string")]
    return parse_gaps(ledger or b""), [Drift(None, key, what) for what in find_ledger_problems(ledger or b"", rows)]


def check_list(
    key: str, stripe: int, members: Iterable[bytes] | Foreign, there: Set[str]
) -> tuple[list[str], list[Drift]]:
    """Returns a stripe's projects, those listed and those that have keys, and what is wrong with the list of them."""
    if isinstance(members, Foreign):
        return sorted(there), [Drift(None, key, "is no set", WrongMembers(key, frozenset(there), is_foreign=True))]
    members = set(members)
    surplus = {each for each in members if not _ID.fullmatch(each) or stripe_of(each.decode()) != stripe}
    listed = {each.decode() for each in members - surplus}
    return sorted(listed | there), [
        *[
            Drift(None, key, f"lacks project {each}", WrongMembers(key, frozenset({each})))
            for each in sorted(there - listed)
        ],
        *[
            Drift(None, key, f"has {each!r}, no project of the stripe", WrongMembers(key, surplus=frozenset({each})))
            for each in sorted(surplus)
        ],
    ]
