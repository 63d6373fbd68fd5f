"""Handlers of documents that stay the same while the process lives. They need no token."""

import json
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from typing import Any

from aiohttp import web

from service.http.representations import represent
from service.http.responses import JSON
from service.runtime.digests import digest_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# The page has no script, and loads nothing but its style sheet.
POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_KEPT = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
_JSON_HEADERS = {**JSON, **_KEPT}
_PAGE_HEADERS = {**_KEPT, "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": POLICY}
_STYLE_HEADERS = {**_KEPT, "Content-Type": "text/css; charset=utf-8"}
_STYLE = (files("service.api.docs_page") / "style.css").read_bytes()


def serve_json(document: Mapping[str, Any]) -> Handler:
    """Returns a handler that answers a document about the API, or about the events that are counted."""
    return _serve(json.dumps(document, ensure_ascii=False).encode(), _JSON_HEADERS)


def serve_page(page: bytes) -> Handler:
    """Returns a handler that answers a page for people."""
    return _serve(page, _PAGE_HEADERS)


def serve_style() -> Handler:
    """Returns a handler that answers the style sheet of the page."""
    return _serve(_STYLE, _STYLE_HEADERS)


def _serve(body: bytes, headers: Mapping[str, str]) -> Handler:
    digest = digest_of(body)

    async def get(request: web.Request) -> web.StreamResponse:
        return await represent(request, body, digest, headers)

    return get
