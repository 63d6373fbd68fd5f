"""Admits requests for the resources of a project: checks token, project and rate limit, before a question is read."""

import math

from aiohttp import web

from service.api.rate_limit import RateLimiter
from service.auth.caller import Authenticator, Caller, InvalidTokenError
from service.http.errors import FORBIDDEN, TOO_MANY, ApiError
from service.store.contract import StatisticsStore

PROJECT_ID_PATTERN = "^[A-Za-z0-9_-]{1,64}$"
PROJECT_IN_ROUTE = "{project_id:" + PROJECT_ID_PATTERN.strip("^$") + "}"
TOKEN = "X-Auth-Token"  # noqa: S105 - the name of a header

STORE = web.AppKey("store", StatisticsStore)
AUTHENTICATOR = web.AppKey("authenticator", Authenticator)
LIMITER = web.AppKey("limiter", RateLimiter)


async def admit(request: web.Request) -> Caller:
    """Returns the caller of a request, if it may ask for the project of the path now. Handlers await it first.

    Raises InvalidTokenError, IdentityUnavailableError, and ApiError for another project's token or too many requests.
    """
    tokens = request.headers.getall(TOKEN, [])
    if len(tokens) != 1:
        raise InvalidTokenError("no token, or several")
    caller = await request.app[AUTHENTICATOR].authenticate(tokens[0])
    if caller.project_id != request.match_info["project_id"]:
        raise ApiError(FORBIDDEN)
    wait_seconds = request.app[LIMITER].take((caller.project_id, caller.user_id))
    if wait_seconds > 0:
        raise ApiError(TOO_MANY, headers={"Retry-After": str(math.ceil(wait_seconds))})
    return caller
