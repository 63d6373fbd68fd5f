"""Says when something may be fetched again: at once mostly, rarely for those who ask for what is not there."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """Fetches begin at least `spacing_seconds` apart; of those beyond a `burst` one each `refill_seconds`."""

    spacing_seconds: float = 1
    burst: int = 10
    refill_seconds: float = 5


class FetchBudget:
    """Counts fetches by a policy. Its times are monotonic seconds."""

    def __init__(self, policy: FetchPolicy) -> None:
        self._policy = policy
        self._left = float(policy.burst)
        self._taken_at = float("-inf")

    def wait_seconds(self, now: float) -> float:
        """Returns the seconds until the next fetch may begin, 0 for at once."""
        spacing = self._taken_at + self._policy.spacing_seconds - now
        refill = (1 - self._left_at(now)) * self._policy.refill_seconds
        return max(0.0, spacing, refill)

    def take(self, now: float) -> None:
        """Counts a fetch that begins."""
        self._left = max(0.0, self._left_at(now) - 1)
        self._taken_at = now

    def _left_at(self, now: float) -> float:
        return min(self._policy.burst, self._left + (now - self._taken_at) / self._policy.refill_seconds)
