"""Makes the answers of all handlers: their headers, their JSON, and errors in the caller's language."""

import random
import re

from aiohttp import web
from multidict import CIMultiDict

from service.http.errors import ApiError, Language

REQUEST_ID = "X-Request-Id"
REQUEST_ID_PATTERN = "^[A-Za-z0-9_-]{1,64}$"
# Every request asks Redis and the identity service anew, so a caller may try again soon.
RETRY_AFTER = {"Retry-After": "1"}
_JSON = CIMultiDict(
    {
        "Content-Type": "application/json; charset=utf-8",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
)
_REQUEST_ID = re.compile(REQUEST_ID_PATTERN.strip("^$"))


def request_id_of(request: web.BaseRequest) -> str:
    """Returns the id that the caller gave to the request, or a new one if it gave none or one that is not valid."""
    given = request.headers.get(REQUEST_ID)
    # an id need not be secret: random.getrandbits makes no system call
    return given if given and _REQUEST_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"


def json_response(body: str | bytes, status: int = 200) -> web.Response:
    """Returns an answer with this JSON as its body."""
    data = body.encode() if isinstance(body, str) else body
    return web.Response(body=data, status=status, headers=_JSON)


def error_response(error: ApiError, request: web.BaseRequest) -> web.Response:
    """Returns the answer for an error, in the language that the caller asks for."""
    wants_chinese = request.headers.get("X-Language", "").strip().lower() == "zh-cn"
    language: Language = "zh-cn" if wants_chinese else "en-us"
    response = json_response(error.body(language).model_dump_json(), error.kind.status)
    response.headers.update(error.headers)
    return response


def finish(response: web.StreamResponse, request_id: str) -> None:
    """Adds the headers that every answer has. The middleware calls it, and Connection for its own answers."""
    response.headers[REQUEST_ID] = request_id
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
