"""Puts the description together: what is said of all of the API, the paths, and the parts that these refer to."""

from typing import Any

from service.api.access import TOKEN
from service.api.openapi.caller import caller_operation
from service.api.openapi.headers import TOKEN_SCHEME
from service.api.openapi.operations import CONSOLE_TAG, DESCRIPTION_TAG, MONITORING_TAG, open_paths
from service.api.openapi.prose import of_the_api
from service.api.openapi.responses import without_bodies
from service.api.openapi.schemas import body_schemas
from service.api.openapi.statistics import TAG, statistics_operation
from service.api.openapi.stream import stream_operation
from service.api.openapi.time_series import time_series_operation
from service.api.rate_limit import RateLimit
from service.api.resources import console, statistics, stream, time_series

_TAGS = {
    TAG: "How many jobs of a project are in which state, and how many bytes they read.",
    MONITORING_TAG: "What orchestrators and monitoring ask. It needs no token.",
    CONSOLE_TAG: "The page for people, and what it asks beside the statistics.",
    DESCRIPTION_TAG: "The description of this API. It needs no token.",
}
_TOKEN = "A token of the project: one of the identity service, or a signed JWT, as the installation has it."  # noqa: S105


def describe(limit: RateLimit, prefix: str = "") -> dict[str, Any]:
    """Returns the whole document, as objects that JSON can hold. `create_app` calls it once.

    `prefix` is the path under which a proxy serves the API; the document's server has it.
    """
    is_limited = limit.per_second > 0
    operations = {
        statistics.PATH: statistics_operation(is_limited),
        time_series.PATH: time_series_operation(is_limited),
        stream.PATH: stream_operation(),
        console.CALLER_PATH: caller_operation(is_limited),
        **open_paths(),
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Gene job statistics",
            "summary": "How many gene jobs of a project are in which state, for any interval of start times.",
            "description": of_the_api(limit),
            "version": "v2.0",
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "externalDocs": {"description": "This description as a page for people", "url": f"{prefix}/docs"},
        "servers": [{"url": prefix or "/"}],
        "tags": [{"name": name, "description": description} for name, description in _TAGS.items()],
        "paths": {path: {"get": operation, "head": _head(operation)} for path, operation in operations.items()},
        "components": {
            "schemas": body_schemas(),
            "securitySchemes": {TOKEN_SCHEME: {"type": "apiKey", "in": "header", "name": TOKEN, "description": _TOKEN}},
        },
    }


def _head(operation: dict[str, Any]) -> dict[str, Any]:
    return {
        **operation,
        "operationId": operation["operationId"].replace("get", "head", 1),
        "summary": f"{operation['summary']}: the headers alone",
        "description": "The status and the headers of GET, without a body.",
        "responses": without_bodies(operation["responses"]),
    }
