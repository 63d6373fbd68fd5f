"""The errors by which the store says how it failed; the API and the consumers handle them."""

from typing import Final, Literal

Lack = Literal["away", "denied", "evicting", "damaged", "unfinished", "changed", "layout"]
"""Why the store has no answer, for metrics. `away`: it cannot be reached, or is too slow. `unfinished`: a write of the
project ended in part. `changed`: the project changed under each of several reads."""


class StoreUnavailableError(Exception):
    """The store cannot be reached, is too slow, or has no answer; whether a write was applied is unknown."""

    def __init__(self, text: str, reason: Lack = "away") -> None:
        super().__init__(text)
        self.reason: Lack = reason


class StoreDeniedError(StoreUnavailableError):
    """The server of the store answers, and does not let us in, or not do what we must: a denial."""

    def __init__(self, text: str) -> None:
        super().__init__(text, "denied")


class LayoutError(Exception):
    """The store has another layout version than this process knows; the process must neither read nor write it."""

    reason: Final = "layout"


class EvictionError(Exception):
    """Redis is set to evict keys without an expiry when its memory is used up, and would lose parts of the store."""

    def __init__(self, policy: str) -> None:
        super().__init__(f"Redis has maxmemory-policy {policy}, which throws counters away; noeviction is needed")


class FencedError(Exception):
    """A stripe has other offsets than its writer expects: another writer has moved them, or Redis went back in time."""

    def __init__(self, stripe: int) -> None:
        super().__init__(f"stripe {stripe} has other offsets than expected")
        self.stripe = stripe


class RefusedError(Exception):
    """A script refused a stripe's batch because of an event in it or of the keys of its project; it wrote nothing."""

    def __init__(self, stripe: int, project_id: str, problem: str) -> None:
        super().__init__(f"stripe {stripe}, project {project_id}: {problem}")
        self.stripe = stripe
        self.project_id = project_id
        self.problem = problem
