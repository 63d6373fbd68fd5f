"""The one resource all this is for: the statistics of a project's gene jobs."""

import math

from aiohttp import web

from service.api.errors import FORBIDDEN, TOO_MANY, ApiError
from service.api.parameters import parse_interval
from service.api.rate_limit import RateLimiter
from service.api.responses import json_response
from service.auth.caller import Authenticator, Caller, InvalidTokenError
from service.store.contract import StatisticsStore

PROJECT_ID_PATTERN = "^[A-Za-z0-9_-]{1,64}$"
PATH = "/v2.0/{project_id}/gene/statistics"
ROUTE = PATH.replace("project_id", "project_id:" + PROJECT_ID_PATTERN.strip("^$"))
TOKEN = "X-Auth-Token"  # noqa: S105 - the name of a header
AS_OF = "X-Statistics-As-Of"
HORIZON = "X-Statistics-Horizon"
GAPS = "X-Statistics-Gaps"

STORE = web.AppKey("store", StatisticsStore)
AUTHENTICATOR = web.AppKey("authenticator", Authenticator)
LIMITER = web.AppKey("limiter", RateLimiter)


async def get_statistics(request: web.Request) -> web.Response:
    """Statistics of the path's project in the query's interval, as far as the token's user may see them."""
    caller = await _authenticate(request)
    wait_seconds = request.app[LIMITER].take((caller.project_id, caller.user_id))
    if wait_seconds > 0:
        raise ApiError(TOO_MANY, headers={"Retry-After": str(math.ceil(wait_seconds))})
    start_ms, end_ms = parse_interval(request.query)
    user_id = None if caller.is_administrator else caller.user_id
    answer = await request.app[STORE].read(caller.project_id, start_ms, end_ms, user_id)
    response = json_response(answer.body)
    response.headers[AS_OF] = str(answer.as_of_ms)
    if answer.horizon_ms > (start_ms or 0):
        response.headers[HORIZON] = str(answer.horizon_ms)
    if answer.gaps:
        response.headers[GAPS] = str(answer.gaps)
    return response


async def _authenticate(request: web.Request) -> Caller:
    tokens = request.headers.getall(TOKEN, [])
    if len(tokens) != 1:
        raise InvalidTokenError("no token, or several")
    caller = await request.app[AUTHENTICATOR].authenticate(tokens[0])
    if caller.project_id != request.match_info["project_id"]:
        raise ApiError(FORBIDDEN)
    return caller
