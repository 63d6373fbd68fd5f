"""Makes the names of the store's keys. Pure; docs/store.md describes each key."""

from binascii import crc32
from functools import lru_cache

from service.store.layout.tree import Node

STRIPES = 64


@lru_cache(maxsize=65_536)
def stripe_of(project_id: str) -> int:
    """Returns the stripe that holds all keys of a project."""
    return crc32(project_id.encode()) % STRIPES


def stripe_tag(stripe: int) -> str:
    """Returns the hash tag and colon of a stripe. Its keys begin with the tag, so a cluster keeps them in one slot."""
    return f"{{s{stripe:02d}}}:"


def head_key(stripe: int) -> str:
    """Returns the key of a stripe's live head. It has no generation, since the head says which one is live."""
    return f"{stripe_tag(stripe)}head"


def stripe_prefix(stripe: int, generation: int) -> str:
    """Returns what all keys of a stripe's generation begin with. Generation 0 has no number in its keys."""
    tag = stripe_tag(stripe)
    return f"{tag[:-1]}{generation}:" if generation else tag


def building_head_key(stripe: int, generation: int) -> str:
    """Returns the key of the head of a generation that a rebuild makes beside the live one."""
    return f"{stripe_prefix(stripe, generation)}head"


def projects_key(stripe: int, generation: int) -> str:
    """Returns the key of the set of the ids of a stripe's projects."""
    return f"{stripe_prefix(stripe, generation)}projects"


def swept_key(stripe: int, generation: int) -> str:
    """Returns the key of the horizon (ms, as text) of the last finished sweep of a stripe's generation."""
    return f"{stripe_prefix(stripe, generation)}swept"


def totals_key(stripe: int, generation: int) -> str:
    """Returns the key of what all projects of a stripe's generation count together: see layout.totals."""
    return f"{stripe_prefix(stripe, generation)}totals"


def retired_key(stripe: int) -> str:
    """Returns the key of the set of a stripe's retired generations, whose keys are to be deleted."""
    return f"{stripe_tag(stripe)}retired"


def gaps_key(stripe: int, generation: int) -> str:
    """Returns the key of a stripe's ledger of gaps: see service.store.layout.gaps."""
    return f"{stripe_prefix(stripe, generation)}gaps"


def claims_key(stripe: int) -> str:
    """Returns the key of a stripe's claims: see parse_claims."""
    return f"{stripe_tag(stripe)}fresh"


def topic_name_key() -> str:
    """Returns the key of the name of the topic that the store is of."""
    return f"{stripe_tag(0)}topic"


def trial_key(stripe: int) -> str:
    """Returns a key that holds nothing: what a user of Redis may do is tried on it."""
    return f"{stripe_tag(stripe)}trial"


@lru_cache(maxsize=65_536)
def project_prefix(project_id: str, generation: int = 0) -> str:
    """Returns what all keys of a project begin with."""
    return f"{stripe_prefix(stripe_of(project_id), generation)}{project_id}:"


def node_key(prefix: str, node: Node) -> str:
    """Returns the key of a node; `prefix` is that of its project."""
    return f"{prefix}n:{node[0]}:{node[1]}"
