"""Parses what a request for a time series says beside its range: the interval, the time zone, and the user."""

import re
from zoneinfo import ZoneInfo

from multidict import MultiMapping

from service.api.parameters import single
from service.auth.caller import Caller
from service.calendar import INTERVALS, Interval, Timeline, cut, cut_finest
from service.events.schema import MAX_USER_NAME_CHARS, USER_NAME_PATTERN
from service.http.errors import (
    BAD_REQUEST,
    BAD_USER_NAME,
    FORBIDDEN,
    OTHER_USER,
    TOO_FINE,
    TOO_LONG,
    UNKNOWN_INTERVAL,
    UNKNOWN_TIME_ZONE,
    ApiError,
)
from service.time_zones import NAMES

MOST_POINTS = 2_000
MOST_POINTS_UNASKED = 400
DEFAULT_TIME_ZONE = "UTC"
_is_user_name = re.compile(USER_NAME_PATTERN.strip("^$")).fullmatch


def parse_interval_name(query: MultiMapping[str]) -> Interval | None:
    """Returns the interval that is asked for, None for the finest that fits; raises ApiError (400) for another."""
    name = single(query, "interval")
    if name is None:
        return None
    for interval in INTERVALS:
        if name == interval:
            return interval
    raise ApiError(BAD_REQUEST, UNKNOWN_INTERVAL, {"intervals": ", ".join(INTERVALS)})


def parse_time_zone(query: MultiMapping[str]) -> str:
    """Returns the name of the time zone; raises ApiError (400) for one that is not known."""
    name = single(query, "time_zone")
    if name is None:
        return DEFAULT_TIME_ZONE
    if name not in NAMES:
        raise ApiError(BAD_REQUEST, UNKNOWN_TIME_ZONE)
    return name


def parse_user(query: MultiMapping[str], caller: Caller) -> tuple[str | None, str | None]:
    """Returns whose jobs count, as the id or as the name of users: None and None for those of all.

    Raises ApiError: 400 for what is no name, 403 for any name but its own if the caller is no administrator.
    """
    name = single(query, "user_name")
    if name is not None and not (len(name) <= MAX_USER_NAME_CHARS and _is_user_name(name)):
        raise ApiError(BAD_REQUEST, BAD_USER_NAME, {"most": str(MAX_USER_NAME_CHARS)})
    if caller.is_administrator:
        return None, name
    if name is not None and name != caller.name:
        raise ApiError(FORBIDDEN, OTHER_USER)
    return caller.user_id, None


def timeline(start_ms: int, end_ms: int, interval: Interval | None, zone: ZoneInfo) -> Timeline:
    """Returns the range cut into intervals: those asked for, or the finest that make few points.

    Raises ApiError (400) that names the finest interval which fits, if these make too many points.
    """
    if interval is None:
        found = cut_finest(start_ms, end_ms, zone, MOST_POINTS_UNASKED) or cut(
            start_ms, end_ms, "1M", zone, MOST_POINTS
        )
    else:
        found = cut(start_ms, end_ms, interval, zone, MOST_POINTS)
    if found is not None:
        return found
    finest = cut_finest(start_ms, end_ms, zone, MOST_POINTS)
    if finest is None:
        raise ApiError(BAD_REQUEST, TOO_LONG, {"most": f"{MOST_POINTS:,}"})
    raise ApiError(BAD_REQUEST, TOO_FINE, {"most": f"{MOST_POINTS:,}", "interval": finest.interval})
