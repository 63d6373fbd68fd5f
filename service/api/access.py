"""Admits requests for the resources of a project: checks token, project and rate limit, before a question is read."""

import math
from collections.abc import Hashable

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter

from service.api.rate_limit import RateLimiter
from service.api.turns import Turns
from service.auth.caller import Authenticator, Caller, IdentityUnavailableError, InvalidTokenError
from service.http.asking import Asking
from service.http.connections import party
from service.http.errors import FORBIDDEN, TOO_MANY, ApiError
from service.store.contract import StatisticsStore

PROJECT_ID_PATTERN = "^[A-Za-z0-9_-]{1,64}$"
PROJECT_IN_ROUTE = "{project_id:" + PROJECT_ID_PATTERN.strip("^$") + "}"
TOKEN = "X-Auth-Token"  # noqa: S105 - the name of a header

STORE = web.AppKey("store", StatisticsStore)
AUTHENTICATOR = web.AppKey("authenticator", Authenticator)
LIMITER = web.AppKey("limiter", RateLimiter)
REFUSALS = web.AppKey("refusals", RateLimiter)
TURNS = web.AppKey("turns", Turns)
LIMITED = web.AppKey("limited", Counter)
_LIMITS = {LIMITER: "caller", REFUSALS: "address"}


def create_limited_counter(registry: CollectorRegistry) -> Counter:
    """Returns the counter of requests that are refused here for their number. `create_app` calls it."""
    counter = Counter(
        "stats_rate_limited_total",
        "Requests answered 429, by the limit of a caller's requests or of an address' refused tokens.",
        ["limit"],
        registry=registry,
    )
    for limit in _LIMITS.values():
        counter.labels(limit)
    return counter


async def admit(request: web.Request) -> Caller:
    """Returns the caller of a request, if it may ask for the project of the path now. Handlers await it first.

    Raises InvalidTokenError, IdentityUnavailableError, and ApiError for another project's token or too many requests.
    """
    authenticator = request.app[AUTHENTICATOR]
    caller = known_caller(authenticator, request)
    if caller is None:
        caller = await _identify(request)
    else:
        authenticator.note_known()
    if caller.project_id != request.match_info["project_id"]:
        raise ApiError(FORBIDDEN)
    _take(request, LIMITER, (caller.project_id, caller.user_id))
    return caller


async def admit_anywhere(request: web.Request) -> tuple[Caller, str]:
    """Returns the caller of a request, and its project, where the path names none. Raises what `admit` raises.

    A token that is of no project is refused, as everything that is served is of a project.
    """
    caller = await _identify(request)
    if caller.project_id is None:
        raise ApiError(FORBIDDEN)
    _take(request, LIMITER, (caller.project_id, caller.user_id))
    return caller, caller.project_id


def known_caller(authenticator: Authenticator, request: Asking) -> Caller | None:
    """Returns the caller of a request whose one token is known to be good; it is for the asker to note that it was."""
    tokens = request.headers.getall(TOKEN, ())
    return authenticator.known(tokens[0]) if len(tokens) == 1 else None


async def _identify(request: web.Request) -> Caller:
    tokens = request.headers.getall(TOKEN, [])
    if len(tokens) != 1:
        raise InvalidTokenError("no token, or several")
    return await _authenticate(request, tokens[0])


async def _authenticate(request: web.Request, token: str) -> Caller:
    """Returns the caller that a token names, unless too many tokens of this address were refused.

    A token is counted before it is checked, and taken off the count unless it is refused: so no number of tokens at
    once gets past the limit. Tokens that are known to be good are not counted.
    """
    authenticator, refusals = request.app[AUTHENTICATOR], request.app[REFUSALS]
    if authenticator.knows(token):
        return await authenticator.authenticate(token)
    address = party(request.remote or "")
    _take(request, REFUSALS, address)
    try:
        caller = await authenticator.authenticate(token)
    except IdentityUnavailableError:
        refusals.give_back(address)
        raise
    refusals.give_back(address)
    return caller


def _take(request: web.Request, limiter: web.AppKey[RateLimiter], caller: Hashable) -> None:
    wait_seconds = request.app[limiter].take(caller)
    if wait_seconds > 0:
        request.app[LIMITED].labels(_LIMITS[limiter]).inc()
        raise ApiError(TOO_MANY, headers={"Retry-After": str(math.ceil(wait_seconds))})
