"""Parses the query of a request for statistics: the interval of start times that it asks for."""

import re
from collections.abc import Collection

from multidict import MultiMapping
from yarl import URL

from service.events.event import MAX_MS
from service.http.errors import (
    BAD_REQUEST,
    MISSING,
    NOT_BEFORE,
    NOT_DECIMAL,
    REPEATED,
    REVERSED,
    UNKNOWN_PARAMETER,
    ApiError,
)

# `int` accepts other digits than ASCII's, and thousands of digits, so the text is checked first.
_INSTANT = re.compile(r"[0-9]{1,32}")
# How nearly everybody writes a query for statistics: it says the same to whoever decodes and splits it.
_PLAIN = re.compile(r"(?:start=([0-9]{1,32})(?:&end=([0-9]{1,32}))?|end=([0-9]{1,32}))?")
INTERVAL = frozenset({"start", "end"})
_MOST_NAME_CHARACTERS = 40


def refuse_unknown(query: MultiMapping[str], known: Collection[str]) -> None:
    """Raises ApiError (400) that names the first parameter which is not one of `known`.

    Handlers call it first: a bound under another name would be an open bound, and the answer one for all time.
    """
    for name in query:
        if name not in known:
            raise ApiError(BAD_REQUEST, UNKNOWN_PARAMETER, {"name": _harmless(name)})


def parse_interval_alone(url: URL) -> tuple[int | None, int | None]:
    """Returns what `parse_interval` returns of the query of an address, which may have no other parameters.

    Raises what `refuse_unknown` and `parse_interval` raise. The usual query is read without being split and decoded.
    """
    plain = plain_interval(url.raw_query_string)
    if plain is not None:
        return plain
    refuse_unknown(url.query, INTERVAL)
    return parse_interval(url.query)


def plain_interval(query: str) -> tuple[int | None, int | None] | None:
    """Returns `start` and `end` of a query that is written as nearly everybody does and says nothing wrong, or None."""
    plain = _PLAIN.fullmatch(query)
    if plain is None:
        return None
    start, end = plain[1], plain[2] or plain[3]
    start_ms = None if start is None else int(start)
    end_ms = None if end is None else int(end)
    return (start_ms, end_ms) if (start_ms or 0) <= (MAX_MS if end_ms is None else end_ms) <= MAX_MS else None


def parse_interval(query: MultiMapping[str]) -> tuple[int | None, int | None]:
    """Returns `start` and `end` in Unix ms, None for an open bound; raises ApiError (400) naming a bad parameter."""
    start_ms = _instant_ms(query, "start")
    end_ms = _instant_ms(query, "end")
    if start_ms is not None and end_ms is not None and start_ms > end_ms:
        raise ApiError(BAD_REQUEST, REVERSED)
    return start_ms, end_ms


def parse_range(query: MultiMapping[str]) -> tuple[int, int]:
    """Returns `start` and `end` in Unix ms, the first less than the second; raises ApiError (400) otherwise."""
    start_ms, end_ms = _required_ms(query, "start"), _required_ms(query, "end")
    if start_ms >= end_ms:
        raise ApiError(BAD_REQUEST, NOT_BEFORE)
    return start_ms, end_ms


def single(query: MultiMapping[str], name: str) -> str | None:
    """Returns the value of a parameter, None without it; raises ApiError (400) if there are several."""
    values = query.getall(name, [])
    if len(values) > 1:
        raise ApiError(BAD_REQUEST, REPEATED, {"name": name})
    return values[0] if values else None


def _required_ms(query: MultiMapping[str], name: str) -> int:
    instant_ms = _instant_ms(query, name)
    if instant_ms is None:
        raise ApiError(BAD_REQUEST, MISSING, {"name": name})
    return instant_ms


def _instant_ms(query: MultiMapping[str], name: str) -> int | None:
    value = single(query, name)
    if value is None:
        return None
    if not _INSTANT.fullmatch(value) or int(value) > MAX_MS:
        raise ApiError(BAD_REQUEST, NOT_DECIMAL, {"name": name, "maximum": str(MAX_MS)})
    return int(value)


def _harmless(name: str) -> str:
    """Returns a name that a caller made up, short, and without what markup, terminals or logs would take for theirs."""
    short = name if len(name) <= _MOST_NAME_CHARACTERS else f"{name[:_MOST_NAME_CHARACTERS]}..."
    return "".join(letter if letter.isalnum() or letter in "_.-" else "?" for letter in short) or '""'
