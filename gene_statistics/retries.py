"""Says how long to wait before a question is asked again."""

import asyncio
import random
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from gene_statistics.errors import ApiError, GeneStatisticsError, UnreachableError

_FIRST_SECONDS = 0.2
_MOST_SECONDS = 5.0


class Retries:
    """Waits between tries of one call, longer each time, by chance within bounds so that callers do not come together.

    What an answer asks for (`Retry-After`) is waited for at least.
    """

    def __init__(self, deadline_seconds: float) -> None:
        self._give_up_at = asyncio.get_running_loop().time() + deadline_seconds
        self._tries = 0

    async def wait(self, error: GeneStatisticsError) -> None:
        """Waits before the next try; raises the error at once if that is of no use, or the deadline would pass."""
        seconds = min(_FIRST_SECONDS * 2**self._tries, _MOST_SECONDS) * random.uniform(0.5, 1)  # noqa: S311 - no secret
        if isinstance(error, ApiError) and error.retry_after_seconds is not None:
            seconds += error.retry_after_seconds
        self._tries += 1
        if isinstance(error, UnreachableError) and not error.may_pass:
            raise error
        if asyncio.get_running_loop().time() + seconds >= self._give_up_at:
            raise error
        await asyncio.sleep(seconds)


def parse_retry_after(text: str | None, now: datetime) -> float | None:
    """Returns the seconds that a `Retry-After` asks for, by a number or a date; None if it is absent or neither."""
    if text is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", text.strip()):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds())
