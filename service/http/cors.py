"""Lets pages of other origins ask, as the settings say: the headers of the CORS protocol, and its preflight requests.

The protocol: https://fetch.spec.whatwg.org/#http-cors-protocol. No credentials are allowed, since a token is a header
that a page must send itself; so `*` harms nobody who is not reached by a token.
"""

from aiohttp import hdrs, web

from service.http.asking import Asking

_ANY = frozenset({"*"})
_METHODS = "GET, HEAD"
_REQUEST_HEADERS = (
    "Accept, Accept-Language, Cache-Control, If-None-Match, Last-Event-ID, traceparent, tracestate,"
    " X-Auth-Token, X-Language, X-Request-Id"
)
_EXPOSED_HEADERS = (
    "Content-Language, ETag, Retry-After, WWW-Authenticate, X-Request-Id,"
    " X-Statistics-As-Of, X-Statistics-Gaps, X-Statistics-Horizon"
)
_MAX_AGE_SECONDS = 7200  # the longest that browsers agree on


class Cors:
    """Answers preflight requests of the allowed origins, and lets their pages read every answer."""

    def __init__(self, origins: frozenset[str]) -> None:
        self._origins = origins

    def is_preflight(self, request: Asking) -> bool:
        """Tells whether a request is a browser's question whether a page of an allowed origin may ask."""
        return (
            request.method == hdrs.METH_OPTIONS
            and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
            and self._allowed(request) is not None
        )

    def preflight(self) -> web.Response:
        """Returns the answer to a preflight request, whatever path it is about: the request itself tells the rest."""
        return web.Response(
            status=204,
            headers={
                hdrs.ACCESS_CONTROL_ALLOW_METHODS: _METHODS,
                hdrs.ACCESS_CONTROL_ALLOW_HEADERS: _REQUEST_HEADERS,
                hdrs.ACCESS_CONTROL_MAX_AGE: str(_MAX_AGE_SECONDS),
            },
        )

    def admit(self, request: Asking, response: web.StreamResponse) -> None:
        """Adds to an answer whose pages may read it. The middleware calls it for every answer."""
        headers = response.headers
        if self._origins != _ANY:
            headers[hdrs.VARY] = f"{headers[hdrs.VARY]}, Origin" if hdrs.VARY in headers else "Origin"
        allowed = self._allowed(request)
        if allowed is not None:
            headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = allowed
            headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED_HEADERS

    def _allowed(self, request: Asking) -> str | None:
        """Returns what allows the origin of a request, if it has one that is allowed."""
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None:
            return None
        if self._origins == _ANY:
            return "*"
        return origin if origin in self._origins else None
