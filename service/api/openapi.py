"""Makes the OpenAPI 3.1 description from what the handlers use: models, bounds and the catalogue of errors."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from service.api.access import PROJECT_ID_PATTERN, TOKEN
from service.api.rate_limit import BURST_SECONDS, RateLimit
from service.api.resources.statistics import AS_OF, GAPS, HORIZON, PATH
from service.events.event import MAX_MS
from service.http.errors import BAD_METHOD, CATALOGUE, NOT_FOUND, TOO_MANY, UNAVAILABLE, ErrorBody, ErrorKind
from service.http.responses import REQUEST_ID, REQUEST_ID_PATTERN
from service.statistics import ProjectStatistics

_JSON = "application/json"


class _AbsentNotNull(GenerateJsonSchema):
    """Makes schemas that do not allow null: in these models None stands for an absent key."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


def describe(limit: RateLimit, prefix: str) -> dict[str, Any]:
    """Returns the whole document, as objects that JSON can hold. `create_app` calls it once.

    `prefix` is the path under which a proxy serves the API, or empty.
    """
    _, schemas = models_json_schema(
        [(ProjectStatistics, "validation"), (ErrorBody, "validation")],
        ref_template="#/components/schemas/{model}",
        schema_generator=_AbsentNotNull,
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "Gene job statistics", "version": "v2.0"},
        "servers": [{"url": prefix or "/"}],
        "paths": {
            PATH: {"get": _statistics(limit)},
            "/healthz": {"get": _operation("getHealth", "Does the process live?", _json("It does."))},
            "/readyz": {
                "get": _operation("getReadiness", "Can requests be answered?", _json("They can."), UNAVAILABLE)
            },
            "/metrics": {"get": _operation("getMetrics", "Metrics for Prometheus.", _text("The metrics."))},
            "/openapi.json": {"get": _operation("getOpenApi", "This description.", _json("The description."))},
            "/schemas/job-event.json": {
                "get": _operation("getJobEventSchema", "The JSON Schema of a job event.", _json("The schema."))
            },
            "/asyncapi.json": {
                "get": _operation(
                    "getAsyncApi", "The topics that are read and written.", _json("The AsyncAPI document.")
                )
            },
        },
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": TOKEN}},
        },
    }


def _statistics(limit: RateLimit) -> dict[str, Any]:
    answer = _json("The statistics.", "ProjectStatistics")
    answer["headers"][AS_OF] = _header(
        "Unix ms: every event published before that instant is in the answer.", {"type": "integer", "minimum": 0}
    )
    answer["headers"][HORIZON] = _header(
        "Unix ms: jobs that started before this instant are no longer kept. Only where the interval reaches before it.",
        {"type": "integer", "minimum": 0},
        required=False,
    )
    answer["headers"][GAPS] = _header(
        "Ranges of events that were lost before they could be read. Only where there are any.",
        {"type": "integer", "minimum": 1},
        required=False,
    )
    errors = [kind for kind in CATALOGUE if kind is not TOO_MANY or limit.per_second]
    operation = _operation("getGeneStatistics", "Statistics of a project's gene jobs.", answer, *errors)
    if limit.per_second:
        operation["description"] = (
            f"Each caller may ask {limit.per_second} times a second,"
            f" and {limit.per_second * BURST_SECONDS} times at once."
        )
    operation["security"] = [{"token": []}]
    operation["parameters"] = [
        _parameter("project_id", "path", "the project", PROJECT_ID_PATTERN),
        _instant("start", "jobs whose start time is at or after this instant, Unix ms"),
        _instant("end", "jobs whose start time is before this instant, Unix ms; not less than start"),
        _parameter("X-Language", "header", "the language of error messages, en-us unless zh-cn", None),
        _parameter(REQUEST_ID, "header", "the request's id in answer and log", REQUEST_ID_PATTERN),
    ]
    return operation


def _operation(name: str, summary: str, answer: dict[str, Any], *errors: ErrorKind) -> dict[str, Any]:
    responses = {"200": answer}
    for kind in sorted({*errors, NOT_FOUND, BAD_METHOD} if errors else errors, key=lambda kind: kind.status):
        responses[str(kind.status)] = _error(kind)
    return {"operationId": name, "summary": summary, "responses": responses}


def _error(kind: ErrorKind) -> dict[str, Any]:
    response = _json(f"{kind.code}: {kind.message.english}", "ErrorBody")
    if kind in {TOO_MANY, UNAVAILABLE}:
        response["headers"]["Retry-After"] = _header("Seconds to wait.", {"type": "integer", "minimum": 1})
    if kind is BAD_METHOD:
        response["headers"]["Allow"] = _header("The methods that are supported.", {"type": "string"})
    return response


def _json(description: str, model: str | None = None) -> dict[str, Any]:
    schema = {"type": "object"} if model is None else {"$ref": f"#/components/schemas/{model}"}
    return _response(description, {_JSON: {"schema": schema}})


def _text(description: str) -> dict[str, Any]:
    return _response(description, {"text/plain": {"schema": {"type": "string"}}})


def _response(description: str, content: dict[str, Any]) -> dict[str, Any]:
    request_id = _header("The request's id.", {"type": "string", "pattern": REQUEST_ID_PATTERN})
    return {"description": description, "headers": {REQUEST_ID: request_id}, "content": content}


def _header(description: str, schema: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    return {"description": description, "required": required, "schema": schema}


def _parameter(name: str, place: str, description: str, pattern: str | None) -> dict[str, Any]:
    schema = {"type": "string"} | ({"pattern": pattern} if pattern else {})
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "description": description,
        "schema": schema,
    }


def _instant(name: str, description: str) -> dict[str, Any]:
    schema = {"type": "integer", "format": "int64", "minimum": 0, "maximum": MAX_MS}
    return _parameter(name, "query", description, None) | {"schema": schema}
