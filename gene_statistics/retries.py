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
        seconds = pause_seconds(self._tries, error, random.uniform(0.5, 1))  # noqa: S311 - no secret
        self._tries += 1
        is_hopeless = isinstance(error, UnreachableError) and not error.may_pass
        if is_hopeless or asyncio.get_running_loop().time() + seconds >= self._give_up_at:
            raise error
        await asyncio.sleep(seconds)


def pause_seconds(tries: int, error: GeneStatisticsError, share: float) -> float:
    """Returns how long to wait after so many tries before: a share of a time that doubles, beyond what is asked for."""
    asked = error.retry_after_seconds if isinstance(error, ApiError) else None
    return (asked or 0.0) + share * min(_FIRST_SECONDS * 2.0**tries, _MOST_SECONDS)


def parse_retry_after(text: str | None, now: datetime) -> float | None:
    """Returns the seconds that a `Retry-After` asks for, by a number or a date; None if it is absent or neither."""
    if text is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", text.strip()):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds())
