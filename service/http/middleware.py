"""The middleware around every handler: it gives requests an id, turns exceptions into errors, measures and logs."""

import logging
import math
import re
import time
from collections.abc import Callable, Mapping
from functools import lru_cache

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from service.auth.caller import IdentityUnavailableError, InvalidTokenError
from service.http.asking import Asking
from service.http.correlation import take_over
from service.http.cors import Cors
from service.http.errors import (
    BAD_METHOD,
    BAD_REQUEST,
    INTERNAL,
    MALFORMED,
    NOT_FOUND,
    UNAUTHORIZED,
    UNAVAILABLE,
    ApiError,
)
from service.http.failures import Failures
from service.http.languages import language_of
from service.http.metrics import UNKNOWN_ROUTE, HttpMetrics
from service.http.policy import DEFAULT_POLICY, HttpPolicy
from service.http.responses import RETRY_AFTER, error_response, finish
from service.store.errors import LayoutError, StoreUnavailableError

_log = logging.getLogger(__name__)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._~!$&'()*+,;=%-]*)(:[0-9]*)?")


def from_http_exception(error: web.HTTPException) -> ApiError:
    """Returns the error of the catalogue for an exception of aiohttp's own."""
    if error.status == 404:
        return ApiError(NOT_FOUND)
    if error.status == 405:
        return ApiError(BAD_METHOD, headers={"Allow": error.headers["Allow"]})
    if 400 <= error.status < 500:
        return ApiError(BAD_REQUEST, MALFORMED)
    return ApiError(INTERNAL)


@lru_cache(256)
def is_host(value: str) -> bool:
    """Returns whether a header `Host` has a host, and a port or none (RFC 9112, 3.2): the library takes any text."""
    return _HOST.fullmatch(value) is not None


class Outermost:
    """What is done around the answers to all requests, whichever way they go.

    It calls `give_up` when the store is of another layout version: this process must not read it, and has to end. A
    program whose handlers do not ask the store gives none. By `monotonic_seconds` failures are told of once a minute.
    """

    def __init__(
        self,
        policy: HttpPolicy = DEFAULT_POLICY,
        monotonic_seconds: Callable[[], float] = time.monotonic,
        give_up: Callable[[LayoutError], None] | None = None,
    ) -> None:
        self.prefix = policy.prefix
        self._challenge = policy.challenge
        self._give_up = give_up
        self.failures = Failures(monotonic_seconds)
        self.cors = Cors(policy.cors_origins) if policy.cors_origins else None

    def is_usual(self, message: Asking) -> bool:
        """Tells whether a request may be answered without the middleware: it would log nothing, and hand it on."""
        return (
            is_host(message.headers.get("Host", ""))
            and not self.failures.are_there
            and not _log.isEnabledFor(logging.DEBUG)
        )

    def failed(self, error: Exception, message: Asking, route: str) -> web.Response:
        """Returns the answer for an exception that a request of a route ended with, and logs it."""
        api_error = _api_error(error, self._challenge)
        if self._give_up is not None and isinstance(error, LayoutError):
            self._give_up(error)
        self.failures.failed(error, api_error, route)
        return error_response(api_error, language_of(message.headers))

    def admit(self, message: Asking, response: web.StreamResponse) -> None:
        """Adds to an answer which origins may read it."""
        if self.cors is not None:
            self.cors.admit(message, response)


def create_middleware(metrics: HttpMetrics, outermost: Outermost) -> Middleware:
    """Returns the outermost middleware: it turns every exception of a handler into an answer of the API."""
    failures, cors, prefix = outermost.failures, outermost.cors, outermost.prefix

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        started_at = time.perf_counter()
        request_id = take_over(request)
        try:
            if not is_host(request.headers.get("Host", "")):
                raise ApiError(BAD_REQUEST, MALFORMED)  # noqa: TRY301 - it is answered as what handlers raise
            if cors is not None and cors.is_preflight(request):
                response: web.StreamResponse = cors.preflight()
            else:
                response = await handler(request)
        except Exception as error:  # noqa: BLE001 - nothing may reach aiohttp's own error pages; 5xx are logged
            response = outermost.failed(error, request, route_of(request, prefix))
        else:
            if failures.are_there:
                failures.answered(route_of(request, prefix))
        finish(response, request_id)
        outermost.admit(request, response)
        duration_seconds = time.perf_counter() - started_at
        metrics.answered(route_of(request, prefix), request.method, response.status, duration_seconds)
        if _log.isEnabledFor(logging.DEBUG):
            fields: dict[str, object] = {"method": request.method, "route": route_of(request, prefix)}
            fields |= {"status": response.status, "duration_seconds": round(duration_seconds, 6)}
            _log.debug("answered", extra=fields)
        return response

    return answer


def _api_error(error: Exception, challenge: str) -> ApiError:
    match error:
        case ApiError():
            return error
        case web.HTTPException():
            return from_http_exception(error)
        case InvalidTokenError():
            return ApiError(UNAUTHORIZED, headers={"WWW-Authenticate": challenge})
        case IdentityUnavailableError() | StoreUnavailableError() | LayoutError():
            return ApiError(UNAVAILABLE, headers=_retry_after(error))
        case _:
            return ApiError(INTERNAL)


def _retry_after(error: Exception) -> Mapping[str, str]:
    """Returns the header that says which wait helps: who tokens are asked of may say so, the store does not."""
    if not isinstance(error, IdentityUnavailableError):
        return RETRY_AFTER
    return {"Retry-After": str(max(1, math.ceil(error.retry_after_seconds)))}


def route_of(request: web.Request, prefix: str) -> str:
    """Returns the route for the metrics, without the prefix that a proxy may leave in the path."""
    resource = request.match_info.route.resource
    return UNKNOWN_ROUTE if resource is None else resource.canonical.removeprefix(prefix)
