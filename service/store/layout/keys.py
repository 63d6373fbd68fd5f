"""Names the keys of the store. Pure; docs/store.md describes each."""

from binascii import crc32
from functools import lru_cache

from service.store.layout.tree import Node

STRIPES = 64


@lru_cache(maxsize=65_536)
def stripe_of(project_id: str) -> int:
    """The stripe that holds everything of a project."""
    return crc32(project_id.encode()) % STRIPES


def stripe_tag(stripe: int) -> str:
    """The hash tag of a stripe: all its keys begin with it, so that Redis Cluster keeps them in one slot."""
    return f"{{s{stripe:02d}}}:"


def head_key(stripe: int) -> str:
    """What is live in a stripe: see Head. Its key has no generation, as it names the one that is live."""
    return f"{stripe_tag(stripe)}head"


def stripe_prefix(stripe: int, generation: int) -> str:
    """What all keys of a stripe's generation begin with; a rebuild makes the next generation beside the live one."""
    tag = stripe_tag(stripe)
    return f"{tag[:-1]}{generation}:" if generation else tag


def building_head_key(stripe: int, generation: int) -> str:
    """The head of a generation that a rebuild makes beside the live one."""
    return f"{stripe_prefix(stripe, generation)}head"


def projects_key(stripe: int, generation: int) -> str:
    """The set of the ids of a stripe's projects."""
    return f"{stripe_prefix(stripe, generation)}projects"


def swept_key(stripe: int, generation: int) -> str:
    """The horizon (ms, as text) up to which the jobs of a stripe's generation have been taken out."""
    return f"{stripe_prefix(stripe, generation)}swept"


def retired_key(stripe: int) -> str:
    """The set of a stripe's generations that nobody reads any more, and whose keys are to be deleted."""
    return f"{stripe_tag(stripe)}retired"


def gaps_key(stripe: int, generation: int) -> str:
    """The ledger of a stripe's gaps: see service.store.layout.gaps."""
    return f"{stripe_prefix(stripe, generation)}gaps"


def claims_key(stripe: int) -> str:
    """What consumers claim of how fresh a stripe is whose head did not move: see parse_claims."""
    return f"{stripe_tag(stripe)}fresh"


def topic_name_key() -> str:
    """The name of the topic that all stripes are of."""
    return f"{stripe_tag(0)}topic"


@lru_cache(maxsize=65_536)
def project_prefix(project_id: str, generation: int = 0) -> str:
    """What the keys of a project begin with."""
    return f"{stripe_prefix(stripe_of(project_id), generation)}{project_id}:"


def node_key(prefix: str, node: Node) -> str:
    """The key of a node's string."""
    return f"{prefix}n:{node[0]}:{node[1]}"
