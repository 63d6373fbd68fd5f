"""Handlers of the console: its page, the files that the page loads, and who the page's caller is."""

from typing import Annotated

from aiohttp import hdrs, web
from pydantic import BaseModel, ConfigDict, Field

from service.api.access import PROJECT_ID_PATTERN, admit_anywhere
from service.api.parameters import refuse_unknown
from service.console.files import File, load
from service.http.errors import NOT_FOUND, ApiError
from service.http.representations import represent
from service.http.responses import json_response
from service.statistics import WholeNumber

PATH = "/console"
CALLER_PATH = "/console/caller"
# Everything comes from here, and nothing is written into the page as a script or a style.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self';"
    " font-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_CONSOLE = load()
_CHANGES = {"Vary": "Accept-Encoding", "Cache-Control": "no-cache"}
_STAYS = {"Vary": "Accept-Encoding", "Cache-Control": "public, max-age=31536000, immutable"}


class CallerDescription(BaseModel):
    """The caller that a token names. What the token does not say is absent."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"additionalProperties": False})

    project_id: Annotated[str, Field(description="the project of the token", pattern=PROJECT_ID_PATTERN)]
    user_name: str | None = Field(default=None, description="the user's name")
    is_administrator: bool = Field(description="whether the caller sees all users of the project")
    expires_at: WholeNumber | None = Field(default=None, description="Unix ms: when the token ends")


async def get_page(request: web.Request) -> web.StreamResponse:
    """Answers the page. Its query is read by the page itself: what is seen."""
    return await _answer(request, _CONSOLE.page, {**_CHANGES, "Content-Security-Policy": POLICY})


async def get_boot(request: web.Request) -> web.StreamResponse:
    """Answers the script that starts the page. Its address has no version: it is there whatever process answers."""
    return await _answer(request, _CONSOLE.boot, _CHANGES)


async def get_file(request: web.Request) -> web.StreamResponse:
    """Answers a file of this version. Raises ApiError (404) for other versions, whose files would not fit together."""
    found = _CONSOLE.files.get(request.match_info["path"])
    if found is None or request.match_info["version"] != _CONSOLE.version:
        raise ApiError(NOT_FOUND)
    return await _answer(request, found, _STAYS)


async def redirect(request: web.Request) -> web.Response:
    """Sends a reader of `/console/` to the page, where its relative links are right, below any prefix."""
    # As it came: decoded, a name with "#" would end it, and one with a line break would not fit into a header.
    raw_query = request.rel_url.raw_query_string
    query = f"?{raw_query}" if raw_query else ""
    return web.Response(status=307, headers={hdrs.LOCATION: f"../console{query}"})


async def get_caller(request: web.Request) -> web.Response:
    """Answers who the caller is. Raises what `admit_anywhere` and `refuse_unknown` raise."""
    caller, project_id = await admit_anywhere(request)
    refuse_unknown(request.query, ())
    ends_ms = None if caller.expires_at_seconds is None else max(0, int(caller.expires_at_seconds * 1000))
    described = CallerDescription(
        project_id=project_id,
        user_name=caller.name,
        is_administrator=caller.is_administrator,
        expires_at=ends_ms,
    )
    return json_response(described.model_dump_json(exclude_none=True))


ROUTES = {
    PATH: get_page,
    "/console/": redirect,
    "/console/boot.js": get_boot,
    CALLER_PATH: get_caller,
    "/console/{version}/{path:.+}": get_file,
}


async def _answer(request: web.Request, file: File, headers: dict[str, str]) -> web.StreamResponse:
    headers = {**headers, "Content-Type": file.content_type}
    return await represent(request, file.body, file.digest, headers, file.compressed)
