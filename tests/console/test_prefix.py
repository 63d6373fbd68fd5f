"""The page is whole behind a proxy that serves it below a path, whether the proxy strips the path or leaves it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.console.conftest import Open
from tests.console.screen import address
from tests.console.site import Project
from tests.console.test_figures import assert_shows, expected_rows

PREFIX = "/statistics"


@asynccontextmanager
async def proxy(target: str, keep: str) -> AsyncIterator[str]:
    """Serves `target` below the prefix alone, and asks it at `keep` and the rest of the path. Gives the address."""
    async with aiohttp.ClientSession(auto_decompress=False) as client:

        async def forward(request: web.Request) -> web.StreamResponse:
            url = target + keep + request.path_qs.removeprefix(PREFIX)
            headers = {name: value for name, value in request.headers.items() if name != "Host"}
            async with client.get(url, headers=headers, allow_redirects=False) as got:
                kept = {k: v for k, v in got.headers.items() if k not in {"Content-Length", "Transfer-Encoding"}}
                answer = web.StreamResponse(status=got.status, headers=kept)
                await answer.prepare(request)
                async for chunk in got.content.iter_any():
                    await answer.write(chunk)
                return answer

        app = web.Application()
        app.router.add_get(PREFIX + "/{rest:.*}", forward)
        async with TestServer(app) as server:
            yield f"http://127.0.0.1:{server.port}{PREFIX}"


@pytest.mark.parametrize("setting", [PREFIX, ""], ids=["left by the proxy", "stripped by the proxy"])
async def test_page_below_a_path(project: Project, tab: Open, setting: str) -> None:
    """Files, API and the link that signs in: all are asked for below the path."""
    service = await project.site.start_service(STATS_HTTP_PREFIX=setting)
    async with proxy(service, setting) as base:
        screen = await tab(address(base, project.administrator(), lang="en", range="all"))
        await screen.ready()
        await assert_shows(screen, expected_rows(project, (None, None)))
        await screen.charts()
        assert [url for url in screen.visited.asked if not url.startswith((f"{base}/", "blob:", "data:"))] == []
        await screen.page.goto("about:blank")  # before the proxy, which waits for streams
