"""Describes the headers of answers. Whether a header is always there depends on the answer."""

from collections.abc import Iterable
from typing import Any, get_args

from service.api.resources.documents import POLICY
from service.api.resources.statistics import AS_OF, GAPS, HORIZON
from service.http.errors import Language
from service.http.responses import REQUEST_ID, REQUEST_ID_PATTERN

TOKEN_SCHEME = "token"  # noqa: S105 - the name of a scheme
_OF_EVERY_ANSWER = (
    REQUEST_ID,
    "Cache-Control",
    "Content-Security-Policy",
    "Referrer-Policy",
    "Server",
    "X-Content-Type-Options",
)
_OF_SOME_ANSWERS = ("Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Vary")
"""They may be in every answer: where the installation lets pages of other origins ask."""

_INSTANT = {"type": "integer", "format": "int64", "minimum": 0}
_NUMBER = {"type": "integer", "format": "int64", "minimum": 1}
_TEXT = {"type": "string"}


def _header(description: str, schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {"description": description, "schema": schema, "example": example}


_HEADERS = {
    REQUEST_ID: _header(
        "The request's id: that of the request, or a new one. The log of the service has it too.",
        {"type": "string", "pattern": REQUEST_ID_PATTERN},
        "6f3a0c1e5d7b4c8f9a2e1d0b3c4f5a69",
    ),
    "Cache-Control": _header("Whether and how an answer may be kept.", _TEXT, "no-store"),
    "X-Content-Type-Options": _header("The body is of the type that it says.", _TEXT, "nosniff"),
    "Referrer-Policy": _header("Links do not tell where they were followed from.", _TEXT, "no-referrer"),
    "Server": _header("The name of this service, without a version.", _TEXT, "gene-job-statistics"),
    "Content-Security-Policy": _header("What a browser may load for the answer.", _TEXT, POLICY),
    "Vary": _header("The request headers that the answer depends on.", _TEXT, "Accept, Accept-Encoding"),
    "Content-Encoding": _header(
        "Bodies of 16 KiB and more are compressed for those who accept gzip.",
        {"type": "string", "enum": ["gzip"]},
        "gzip",
    ),
    "Content-Disposition": _header(
        "The name of a file for the answer. It is there for CSV alone.",
        _TEXT,
        'attachment; filename="gene-statistics_e9993fc787d94b6c886cbaa340f9c0f4.csv"',
    ),
    "Content-Language": _header(
        "The language of the message.", {"type": "string", "enum": list(get_args(Language))}, "en-us"
    ),
    "ETag": _header(
        "Changes whenever the body does. With it in `If-None-Match` the answer is 304 as long as it is the same.",
        _TEXT,
        'W/"8b1a9953c4611296a827abf8c47804d7"',
    ),
    "Access-Control-Allow-Origin": _header("The origin whose pages may read the answer.", _TEXT, "https://example.org"),
    "Access-Control-Expose-Headers": _header("The headers that these pages may read.", _TEXT, REQUEST_ID),
    AS_OF: _header(
        "Unix ms. Every event that was published before this instant is in the answer. 0: nothing is known yet.",
        _INSTANT,
        1532605671002,
    ),
    HORIZON: _header(
        "Unix ms. Jobs that started before this instant are no longer kept."
        " It is there only where the interval reaches before it.",
        _INSTANT,
        1500000000000,
    ),
    GAPS: _header(
        "How many ranges of events were lost before they could be read. It is there only where there are any.",
        _NUMBER,
        1,
    ),
    "WWW-Authenticate": _header(
        "How a caller says who it is: by `X-Auth-Token`, or by a token of the Keystone that it names.",
        _TEXT,
        'X-Auth-Token realm="gene-job-statistics"',
    ),
    "X-Accel-Buffering": _header("Keeps nginx from holding events back.", _TEXT, "no"),
    "Allow": _header("The methods that are supported here, with commas between.", _TEXT, "GET,HEAD"),
    "Retry-After": _header("Seconds to wait before the request is sent again.", _NUMBER, 1),
}


def headers(always: Iterable[str] = (), sometimes: Iterable[str] = ()) -> dict[str, Any]:
    """Returns the headers of an answer: those that every answer has or may have, and these."""
    required = [*_OF_EVERY_ANSWER, *always]
    described = {name: {"required": True, **_HEADERS[name]} for name in required}
    for name in (*sometimes, *_OF_SOME_ANSWERS):
        described.setdefault(name, {"required": False, **_HEADERS[name]})
    return described
