"""Handlers that need no token: liveness, readiness, metrics, and the documents about API and events."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from service.api.access import AUTHENTICATOR, STORE
from service.auth.caller import IdentityUnavailableError
from service.http.errors import STOPPING_MESSAGE, UNAVAILABLE, UNREACHABLE, ApiError
from service.http.responses import RETRY_AFTER, json_response
from service.http.server import STOPPING
from service.store.errors import LayoutError, StoreUnavailableError

_log = logging.getLogger(__name__)

REGISTRY = web.AppKey("registry", CollectorRegistry)
OPENAPI = web.AppKey("openapi", bytes)
PROBE_SECONDS = web.AppKey("probe_seconds", float)


async def get_health(request: web.Request) -> web.Response:
    """Answers 200 as long as the process can answer at all."""
    return json_response('{"status":"ok"}')


async def get_readiness(request: web.Request) -> web.Response:
    """Answers 200 if Redis and the identity service answer, otherwise 503 with the names of those that do not.

    While the process stops it answers 503, so that nobody sends it more requests.
    """
    if request.app[STOPPING].is_set():
        raise ApiError(UNAVAILABLE, STOPPING_MESSAGE, headers=RETRY_AFTER)
    probes = {"redis": request.app[STORE].ping, "identity": request.app[AUTHENTICATOR].ping}
    patience_seconds = request.app[PROBE_SECONDS]
    answers = await asyncio.gather(*(_answers(name, ping, patience_seconds) for name, ping in probes.items()))
    away = [name for name, answered in zip(probes, answers, strict=True) if not answered]
    if away:
        raise ApiError(UNAVAILABLE, UNREACHABLE, {"names": ", ".join(away)}, RETRY_AFTER)
    return json_response('{"status":"ready"}')


async def _answers(name: str, ping: Callable[[], Awaitable[None]], patience_seconds: float) -> bool:
    try:
        async with asyncio.timeout(patience_seconds):
            await ping()
    except (StoreUnavailableError, LayoutError, IdentityUnavailableError, TimeoutError) as error:
        _log.warning("not ready: %s: %s", name, str(error) or "no answer in time")
        return False
    return True


async def get_metrics(request: web.Request) -> web.Response:
    """Answers the metrics of the process in Prometheus' text format."""
    body = generate_latest(request.app[REGISTRY])
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


async def get_openapi(request: web.Request) -> web.Response:
    """Answers the OpenAPI description of this API."""
    return json_response(request.app[OPENAPI])


def serve_document(document: Mapping[str, Any]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Returns a handler that answers a document about the events that are counted."""
    body = json.dumps(document, ensure_ascii=False).encode()

    async def get_document(request: web.Request) -> web.Response:
        return json_response(body)

    return get_document
