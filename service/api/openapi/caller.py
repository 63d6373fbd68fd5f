"""Describes the resource that says who the caller is."""

from typing import Any

from service.api.openapi.headers import TOKEN_SCHEME
from service.api.openapi.operations import CONSOLE_TAG
from service.api.openapi.parameters import described
from service.api.openapi.responses import plain, responses
from service.api.openapi.schemas import body
from service.http.errors import CATALOGUE, NOT_FOUND, TOO_MANY

_EXAMPLE = {
    "project_id": "e9993fc787d94b6c886cbaa340f9c0f4",
    "user_name": "test",
    "is_administrator": True,
    "expires_at": 1532620800000,
}


def caller_operation(is_limited: bool) -> dict[str, Any]:
    """Returns the operation that answers who the caller is; 429 is there if the service limits its callers."""
    never = {NOT_FOUND} if is_limited else {NOT_FOUND, TOO_MANY}
    return {
        "operationId": "getCaller",
        "tags": [CONSOLE_TAG],
        "summary": "Who the caller is",
        "description": "Says what the service knows of a token that is good: also of one that a client cannot read.",
        "security": [{TOKEN_SCHEME: []}],
        "parameters": described(),
        "responses": responses(
            plain("The caller.", body("CallerDescription", caller=_EXAMPLE)),
            *(kind for kind in CATALOGUE if kind not in never),
        ),
    }
