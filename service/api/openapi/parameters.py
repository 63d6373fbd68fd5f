"""Describes the parameters of requests: path, query and headers."""

from typing import Any, get_args

from service.api.access import PROJECT_ID_PATTERN
from service.api.series_parameters import DEFAULT_TIME_ZONE
from service.calendar import INTERVALS
from service.events.event import MAX_MS
from service.events.schema import MAX_USER_NAME_CHARS, USER_NAME_PATTERN
from service.http.errors import Language
from service.http.languages import ACCEPT_LANGUAGE, X_LANGUAGE
from service.http.responses import REQUEST_ID
from service.runtime.tracing import TRACEPARENT


def _parameter(  # noqa: PLR0913 - what a parameter is made of
    name: str, place: str, description: str, schema: dict[str, Any], example: Any, *, is_required: bool = False
) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": is_required or place == "path",
        "description": description,
        "schema": schema,
        "example": example,
    }


def _instant(name: str, description: str, example: int, *, is_required: bool = False) -> dict[str, Any]:
    schema = {"type": "integer", "format": "int64", "minimum": 0, "maximum": MAX_MS}
    return _parameter(name, "query", description, schema, example, is_required=is_required)


PARAMETERS = {
    "ProjectId": _parameter(
        "project_id",
        "path",
        "The project. The token must be of this project.",
        {"type": "string", "pattern": PROJECT_ID_PATTERN},
        "e9993fc787d94b6c886cbaa340f9c0f4",
    ),
    "Start": _instant(
        "start",
        "Unix ms: jobs whose start time is **at or after** this instant. Without it the interval has no start.",
        1532534400000,
    ),
    "End": _instant(
        "end",
        "Unix ms: jobs whose start time is **before** this instant. Without it the interval has no end."
        " Not less than `start`.",
        1532620800000,
    ),
    "RangeStart": _instant(
        "start", "Unix ms: jobs whose start time is **at or after** this instant.", 1532534400000, is_required=True
    ),
    "RangeEnd": _instant(
        "end",
        "Unix ms: jobs whose start time is **before** this instant. More than `start`.",
        1532620800000,
        is_required=True,
    ),
    "Interval": _parameter(
        "interval",
        "query",
        "Minutes and hours of the clock; days, weeks from Monday on, and months of the calendar.",
        {"type": "string", "enum": list(INTERVALS)},
        "1d",
    ),
    "TimeZone": _parameter(
        "time_zone",
        "query",
        "The zone whose clock and calendar count, by its name in the IANA time zone database, letter case and all.",
        {"type": "string", "default": DEFAULT_TIME_ZONE},
        "Asia/Shanghai",
    ),
    "UserName": _parameter(
        "user_name",
        "query",
        "Only jobs of users with this name count. For callers who are no administrators any name but their own is 403.",
        {"type": "string", "minLength": 1, "maxLength": MAX_USER_NAME_CHARS, "pattern": USER_NAME_PATTERN},
        "test",
    ),
    "Language": _parameter(
        X_LANGUAGE,
        "header",
        "The language of error messages. Every tag of Chinese or English is taken, such as `zh`, `zh-Hans-CN` or"
        " `en_GB`, in any letter case. Others count as `en-us`. Without it `Accept-Language` picks the language.",
        {"type": "string", "enum": list(get_args(Language)), "default": "en-us"},
        "zh-cn",
    ),
    "AcceptLanguage": _parameter(
        ACCEPT_LANGUAGE,
        "header",
        "The languages of error messages that the caller prefers, with weights. `X-Language` goes before it.",
        {"type": "string"},
        "zh-CN,zh;q=0.9,en;q=0.8",
    ),
    "IfNoneMatch": _parameter(
        "If-None-Match",
        "header",
        "The `ETag` of an answer that the caller still has, or several with commas between.",
        {"type": "string"},
        'W/"8b1a9953c4611296a827abf8c47804d7"',
    ),
    "LastEventId": _parameter(
        "Last-Event-ID",
        "header",
        "The `id` of the last event that the client has, if it still has the answer.",
        {"type": "string"},
        "8b1a9953c4611296a827abf8c47804d7",
    ),
    "TraceParent": _parameter(
        TRACEPARENT,
        "header",
        "The trace that this request belongs to, by W3C Trace Context. The service's log then has its ids.",
        {"type": "string"},
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ),
    "RequestId": _parameter(
        REQUEST_ID,
        "header",
        "An id for this request, which the answer and the service's log then have: 1 to 64 of `A-Z a-z 0-9 _ -`."
        " The service makes a new one where the id has another form.",
        {"type": "string"},
        "6f3a0c1e5d7b4c8f9a2e1d0b3c4f5a69",
    ),
}
"""The parameters by their names in the document."""

OF_EVERY_REQUEST = ("Language", "AcceptLanguage", "RequestId", "TraceParent")


def described(*names: str) -> list[dict[str, Any]]:
    """Returns the parameters of an operation: these, and those of every request."""
    return [PARAMETERS[name] for name in (*names, *OF_EVERY_REQUEST)]
