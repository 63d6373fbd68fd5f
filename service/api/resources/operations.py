"""Handlers that need no token: liveness, readiness and metrics."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge

from service.api.access import AUTHENTICATOR, STORE
from service.api.totals import TOTALS
from service.auth.caller import IdentityUnavailableError
from service.http.errors import NOTHING_YET, STOPPING_MESSAGE, UNAVAILABLE, UNREACHABLE, ApiError, Message
from service.http.metrics import exposition
from service.http.responses import RETRY_AFTER, json_response
from service.http.server import STOPPING
from service.runtime.tasks import side_by_side
from service.runtime.trouble import Trouble
from service.store.errors import LayoutError, StoreUnavailableError

_log = logging.getLogger(__name__)
_NOTHING_YET = "statistics"


class Readiness:
    """Tells in the log what keeps the process from being ready: once a minute, however often it is asked."""

    def __init__(self, monotonic_seconds: Callable[[], float]) -> None:
        self._troubles = {name: Trouble(monotonic_seconds) for name in ("redis", "identity", _NOTHING_YET)}

    def lacks(self, name: str, reason: str) -> None:
        """Takes note of what a probe has found to be missing."""
        fields = self._troubles[name].note(reason)
        if fields is not None:
            _log.warning("not ready: %s: %s", name, reason, extra=fields)

    def has(self, name: str) -> None:
        """Takes note that a probe has found it."""
        fields = self._troubles[name].end()
        if fields is not None:
            _log.info("no longer missing: %s", name, extra=fields)


READINESS = web.AppKey("readiness", Readiness)
REGISTRY = web.AppKey("registry", CollectorRegistry)
AS_OF_SECONDS = web.AppKey("as_of_seconds", Gauge)
PROBE_SECONDS = web.AppKey("probe_seconds", float)


def create_as_of_gauge(registry: CollectorRegistry) -> Gauge:
    """Returns the metric that `get_metrics` sets at each scrape. `create_app` calls it."""
    return Gauge(
        "stats_as_of_timestamp_seconds",
        "Every event published before this instant is in every answer; 0: none is known, or Redis was never reached.",
        registry=registry,
    )


async def get_health(request: web.Request) -> web.Response:
    """Answers 200 as long as the process can answer at all."""
    return json_response('{"status":"ok"}')


async def get_readiness(request: web.Request) -> web.Response:
    """Answers 200 if Redis has statistics and the identity service answers, otherwise 503 with the names of what lacks.

    A Redis that no consumer has ever written would answer zeros for every project. While the process stops it answers
    503, so that nobody sends it more requests.
    """
    if request.app[STOPPING].is_set():
        raise ApiError(UNAVAILABLE, STOPPING_MESSAGE, headers=RETRY_AFTER)
    probes = {"redis": request.app[STORE].ping, "identity": request.app[AUTHENTICATOR].ping}
    patience_seconds = request.app[PROBE_SECONDS]
    answers = await side_by_side(
        *(_answers(request.app[READINESS], name, ping, patience_seconds) for name, ping in probes.items())
    )
    away = [name for name, answered in zip(probes, answers, strict=True) if not answered]
    if "redis" not in away and await _is_empty(request.app):
        request.app[READINESS].lacks(_NOTHING_YET, "no consumer has written to this Redis")
        raise _not_ready([*away, _NOTHING_YET], UNREACHABLE if away else NOTHING_YET)
    if away:
        raise _not_ready(away, UNREACHABLE)
    request.app[READINESS].has(_NOTHING_YET)
    return json_response('{"status":"ready"}')


def _not_ready(names: list[str], message: Message) -> ApiError:
    return ApiError(UNAVAILABLE, message, {"names": ", ".join(names)}, RETRY_AFTER)


async def _answers(
    readiness: Readiness, name: str, ping: Callable[[], Awaitable[None]], patience_seconds: float
) -> bool:
    try:
        async with asyncio.timeout(patience_seconds):
            await ping()
    except (StoreUnavailableError, LayoutError, IdentityUnavailableError, TimeoutError) as error:
        readiness.lacks(name, str(error) or "no answer in time")
        return False
    readiness.has(name)
    return True


async def _is_empty(app: web.Application) -> bool:
    """Tells whether no project has an as-of; False where Redis does not say, as it may have one.

    That is so for as long as one shard of a cluster is away, and is no lack: the probe before has said so.
    """
    try:
        async with asyncio.timeout(app[PROBE_SECONDS]):
            return (await app[STORE].freshness()).newest_ms == 0
    except (StoreUnavailableError, LayoutError, TimeoutError) as error:
        _log_unknown(error)
        return False


async def get_metrics(request: web.Request) -> web.Response:
    """Answers the metrics of the process as `exposition` says. The as-of stands still while Redis is away."""
    await side_by_side(_note_freshness(request.app), request.app[TOTALS].look())
    return exposition(request, request.app[REGISTRY])


async def _note_freshness(app: web.Application) -> None:
    try:
        async with asyncio.timeout(app[PROBE_SECONDS]):
            freshness = await app[STORE].freshness()
        app[AS_OF_SECONDS].set(freshness.oldest_ms / 1000)
    except (StoreUnavailableError, LayoutError, TimeoutError) as error:
        _log_unknown(error)


def _log_unknown(error: Exception) -> None:
    _log.debug("the as-of is not known: %s", str(error) or "no answer in time")
