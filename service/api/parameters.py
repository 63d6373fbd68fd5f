"""Parses the query of a request for statistics: the interval of start times that it asks for."""

import re
from collections.abc import Collection

from multidict import MultiMapping

from service.events.event import MAX_MS
from service.http.errors import BAD_REQUEST, NOT_DECIMAL, REPEATED, REVERSED, UNKNOWN_PARAMETER, ApiError

# `int` accepts other digits than ASCII's, and thousands of digits, so the text is checked first.
_INSTANT = re.compile(r"[0-9]{1,32}")
_MOST_NAME_CHARACTERS = 40


def refuse_unknown(query: MultiMapping[str], known: Collection[str]) -> None:
    """Raises ApiError (400) that names the first parameter which is not one of `known`.

    Handlers call it first: a bound under another name would be an open bound, and the answer one for all time.
    """
    for name in query:
        if name not in known:
            raise ApiError(BAD_REQUEST, UNKNOWN_PARAMETER, {"name": _harmless(name)})


def parse_interval(query: MultiMapping[str]) -> tuple[int | None, int | None]:
    """Returns `start` and `end` in Unix ms, None for an open bound; raises ApiError (400) naming a bad parameter."""
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


def _harmless(name: str) -> str:
    """Returns a name that a caller made up, short, and without what markup, terminals or logs would take for theirs."""
    short = name if len(name) <= _MOST_NAME_CHARACTERS else f"{name[:_MOST_NAME_CHARACTERS]}..."
    return "".join(letter if letter.isalnum() or letter in "_.-" else "?" for letter in short) or '""'
