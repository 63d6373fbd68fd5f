"""How a store fails."""


class StoreUnavailableError(Exception):
    """The store cannot be reached, or does not answer in time; nothing was read, and what was written is unknown."""


class LayoutError(Exception):
    """The store was written by another version of the layout; this process must not touch it."""


class EvictionError(Exception):
    """Redis would evict counters when its memory is used up; this process must not rely on it."""

    def __init__(self, policy: str) -> None:
        super().__init__(f"Redis has maxmemory-policy {policy}, which throws counters away; noeviction is needed")


class FencedError(Exception):
    """A stripe is not where the writer believed it to be: another writer was there, or the store went back."""

    def __init__(self, stripe: int) -> None:
        super().__init__(f"stripe {stripe} has other offsets than expected")
        self.stripe = stripe


class RefusedError(Exception):
    """A stripe's script refused a batch because of something in it or in the store; nothing was written."""

    def __init__(self, stripe: int, project_id: str, problem: str) -> None:
        super().__init__(f"stripe {stripe}, project {project_id}: {problem}")
        self.stripe = stripe
        self.project_id = project_id
        self.problem = problem
