"""Describes answers: those that went well, and the errors of the catalogue with the headers that each carries."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, get_args

from service.api.openapi.headers import headers
from service.api.openapi.schemas import body
from service.http.errors import BAD_METHOD, TOO_MANY, UNAUTHORIZED, UNAVAILABLE, ApiError, ErrorKind, Language

_CARRIED = {
    UNAUTHORIZED: ("WWW-Authenticate",),
    BAD_METHOD: ("Allow",),
    TOO_MANY: ("Retry-After",),
    UNAVAILABLE: ("Retry-After",),
}


def plain(description: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the answers of what went well: 200 with this content."""
    return {"200": {"description": description, "headers": headers(), "content": dict(content)}}


def represented(
    description: str, content: Mapping[str, Any], always: Iterable[str] = (), sometimes: Iterable[str] = ()
) -> dict[str, Any]:
    """Returns the answers of what went well and can be compared with what a client has: 200 and 304.

    Both have these headers, beside those that `service.http.representations` adds.
    """
    always = (*always, "ETag", "Vary")
    return {
        "200": {
            "description": description,
            "headers": headers(always, (*sometimes, "Content-Encoding")),
            "content": dict(content),
        },
        "304": {
            "description": "Not Modified: the body is that of the tag in `If-None-Match`.",
            "headers": headers(always, sometimes),
        },
    }


def responses(well: Mapping[str, Any], *errors: ErrorKind) -> dict[str, Any]:
    """Returns the responses of an operation by status: those that went well, and these errors."""
    return dict(sorted({**well, **{str(kind.status): _error(kind) for kind in errors}}.items()))


def without_bodies(described: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the responses of HEAD for those of GET: the same statuses and headers, and no content."""
    return {
        status: {key: value for key, value in response.items() if key != "content"}
        for status, response in described.items()
    }


def _error(kind: ErrorKind) -> dict[str, Any]:
    error = ApiError(kind)
    examples = {language: error.body(language).model_dump() for language in get_args(Language)}
    return {
        "description": f"{HTTPStatus(kind.status).phrase}: {kind.message.english}",
        "headers": headers(("Content-Language", *_CARRIED.get(kind, ()))),
        "content": body("ErrorBody", **examples),
    }
