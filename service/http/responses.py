"""Makes the answers of all handlers: their headers, their JSON, and errors in the caller's language."""

from aiohttp import hdrs, web
from multidict import CIMultiDict, istr

from service.http.errors import ApiError, Language

REQUEST_ID = "X-Request-Id"
REQUEST_ID_PATTERN = "^[A-Za-z0-9_-]{1,64}$"
# Every request asks Redis and the identity service anew, so a caller may try again soon.
RETRY_AFTER = {"Retry-After": "1"}
# An answer has these headers unless it has others of the same names: nobody keeps it, takes it for another type, loads
# anything for it, shows it in a frame, or tells another site where it was read. Names are `istr`, which costs less.
_EVERY = {
    istr("Cache-Control"): "no-store",
    istr("X-Content-Type-Options"): "nosniff",
    istr("Referrer-Policy"): "no-referrer",
    istr("Content-Security-Policy"): "default-src 'none'; frame-ancestors 'none'",
    istr("Server"): "gene-job-statistics",  # aiohttp would name itself, Python, and both versions
}
_ID, _NOSNIFF = istr(REQUEST_ID), istr("X-Content-Type-Options")
JSON = CIMultiDict({hdrs.CONTENT_TYPE: "application/json; charset=utf-8", **_EVERY})


def json_response(body: str | bytes, status: int = 200) -> web.Response:
    """Returns an answer with this JSON as its body."""
    data = body.encode() if isinstance(body, str) else body
    return web.Response(body=data, status=status, headers=JSON)


def error_response(error: ApiError, language: Language) -> web.Response:
    """Returns the answer for an error, in this language."""
    response = json_response(error.body(language).model_dump_json(), error.kind.status)
    response.headers[hdrs.CONTENT_LANGUAGE] = language
    response.headers.update(error.headers)
    return response


def finish(response: web.StreamResponse, request_id: str) -> None:
    """Adds the headers that every answer has. The middleware calls it, and Connection for its own answers."""
    headers = response.headers
    headers[_ID] = request_id
    if _NOSNIFF not in headers:  # it was not made of `JSON`
        for name, value in _EVERY.items():
            headers.setdefault(name, value)
