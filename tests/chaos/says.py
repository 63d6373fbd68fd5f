"""What an answer says of itself in its headers, by which it is judged."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.chaos.load import GROWING_STEP_MS
from tests.end_to_end.traffic import NOON_MS


@dataclass(frozen=True, slots=True)
class Says:
    """What an answer says of itself.

    It holds all that was acknowledged before `as_of_ms`, but for jobs that start before `horizon_ms`. The horizon is
    named only where it is after the beginning of the range: a service that `forgets` may have it anywhere before. An
    answer that admits gaps is taken for one as of 0: it may lack anything, and must not make anything up.
    """

    as_of_ms: int
    horizon_ms: int = 0

    @property
    def hidden(self) -> int:
        """How many of the growing jobs are before the horizon."""
        return max(0, -((NOON_MS - self.horizon_ms) // GROWING_STEP_MS))

    @classmethod
    def of(cls, headers: Mapping[str, str], start_ms: int | None, forgets: bool) -> "Says":
        """What the headers of an answer about a range say."""
        latest_ms = (start_ms or 0) if forgets else 0
        as_of_ms = 0 if "X-Statistics-Gaps" in headers else int(headers["X-Statistics-As-Of"])
        return cls(as_of_ms, int(headers.get("X-Statistics-Horizon", latest_ms)))
