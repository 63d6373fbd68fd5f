"""Describes what is served without a token: probes, metrics, this description, and the pages."""

from typing import Any

from service.api.openapi.parameters import described
from service.api.openapi.responses import plain, represented, responses
from service.api.openapi.schemas import body
from service.http.errors import BAD_METHOD, BAD_REQUEST, INTERNAL, UNAVAILABLE, ErrorKind

MONITORING_TAG, DESCRIPTION_TAG, CONSOLE_TAG = "monitoring", "description", "console"


def open_paths() -> dict[str, dict[str, Any]]:
    """Returns the operation of each path that needs no token. `describe` calls it."""
    return {
        "/healthz": _operation(
            "getHealth",
            MONITORING_TAG,
            "Does the process live?",
            plain("It does.", body("Status", alive={"status": "ok"})),
        ),
        "/readyz": _operation(
            "getReadiness",
            MONITORING_TAG,
            "Can questions be answered?",
            plain("They can.", body("Status", ready={"status": "ready"})),
            errors=(UNAVAILABLE,),
        ),
        "/metrics": _operation(
            "getMetrics",
            MONITORING_TAG,
            "Metrics in the text format of Prometheus",
            plain("The metrics.", _text("text/plain")),
        ),
        "/openapi.json": _document("getOpenApi", "This description", "The description.", body("Document")),
        "/schemas/job-event.json": _document(
            "getJobEventSchema", "The JSON Schema of a job event", "The schema.", body("Document")
        ),
        "/asyncapi.json": _document(
            "getAsyncApi",
            "The topics that are read and written, as an AsyncAPI document",
            "The document.",
            body("Document"),
        ),
        "/docs": _document("getDocs", "This description as a page for people", "The page.", _text("text/html")),
        "/docs/style.css": _document(
            "getDocsStyle", "The style of the page for people", "The style sheet.", _text("text/css")
        ),
        "/console": _document(
            "getConsole", "A page that shows the statistics", "The page.", _text("text/html"), CONSOLE_TAG
        ),
    }


def _document(
    name: str, summary: str, description: str, content: dict[str, Any], tag: str = DESCRIPTION_TAG
) -> dict[str, Any]:
    """Returns the operation of a document that stays the same, and can be compared with what the client has."""
    return _operation(name, tag, summary, represented(description, content), parameters=("IfNoneMatch",))


def _operation(  # noqa: PLR0913 - what an operation is made of
    name: str,
    tag: str,
    summary: str,
    well: dict[str, Any],
    *,
    parameters: tuple[str, ...] = (),
    errors: tuple[ErrorKind, ...] = (),
) -> dict[str, Any]:
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "security": [],
        "parameters": described(*parameters),
        "responses": responses(well, BAD_REQUEST, BAD_METHOD, INTERNAL, *errors),
    }


def _text(kind: str) -> dict[str, Any]:
    return {kind: {"schema": {"type": "string"}}}
