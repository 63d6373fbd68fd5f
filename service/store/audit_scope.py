"""Which projects the store holds, and how many job records each has."""

from collections.abc import Sequence
from typing import Any

from service.store.audit_reads import Client, chunks
from service.store.contract import REDIS_ERRORS, StoreUnavailableError
from service.store.layout import Head, parse_meta, project_prefix, projects_key, stripe_of


async def find_projects(client: Client, heads: Sequence[Head], only: str | None) -> dict[str, int]:
    """The number of records by project id, of all projects or of one if it is there; `heads` are of all stripes.

    A project without a meta has none. Raises StoreUnavailableError.
    """
    stripes = range(len(heads)) if only is None else [stripe_of(only)]
    found: dict[str, int] = {}
    try:
        for stripe in stripes:
            generation = heads[stripe].generation
            members: Any = await client.smembers(projects_key(stripe, generation))
            listed = sorted(member.decode() for member in members)
            for some in chunks([project for project in listed if only in {None, project}]):
                metas: Any = await client.mget([f"{project_prefix(project, generation)}m" for project in some])
                found |= {p: parse_meta(meta).records if meta else 0 for p, meta in zip(some, metas, strict=True)}
    except REDIS_ERRORS as error:
        raise StoreUnavailableError(f"reading the list of projects: {error}") from error
    return found
