"""The query of the statistics: the interval of start times that is asked for."""

import re

from multidict import MultiMapping

from service.api.errors import BAD_REQUEST, NOT_DECIMAL, REPEATED, REVERSED, ApiError
from service.events.event import MAX_MS

# Python reads many more digits than ASCII's, and thousands of them, so the text is checked before `int`.
_INSTANT = re.compile(r"[0-9]{1,32}")


def parse_interval(query: MultiMapping[str]) -> tuple[int | None, int | None]:
    """`start` and `end` in Unix ms, None for an open bound; ApiError (400) names a bad parameter."""
    start_ms = _instant_ms(query, "start")
    end_ms = _instant_ms(query, "end")
    if start_ms is not None and end_ms is not None and start_ms > end_ms:
        raise ApiError(BAD_REQUEST, REVERSED)
    return start_ms, end_ms


def _instant_ms(query: MultiMapping[str], name: str) -> int | None:
    values = query.getall(name, [])
    if not values:
        return None
    if len(values) > 1:
        raise ApiError(BAD_REQUEST, REPEATED, {"name": name})
    if not _INSTANT.fullmatch(values[0]) or int(values[0]) > MAX_MS:
        raise ApiError(BAD_REQUEST, NOT_DECIMAL, {"name": name, "maximum": str(MAX_MS)})
    return int(values[0])
