"""What the tests of the console notice: without it they would pass over a page that is broken."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser

from tests.console.screen import opened

_POLICY = "default-src 'none'; script-src 'self'; img-src * data:"
_SCRIPTS = {
    "says": ("console.warn('careful')", "careful"),
    "fails": ("undefined.x", "Cannot read properties"),
    "rejects": ("Promise.reject(new Error('late'))", "late"),
    "breaks its policy": ("document.body.setAttribute('style', 'color: red')", "Content Security Policy"),
    "asks elsewhere": ("new Image().src = 'http://localhost:9/'", "asked for http://localhost:9/"),
    "well": ("document.title = 'well'", None),
}


@pytest.mark.parametrize("name", _SCRIPTS)
async def test_what_goes_wrong_is_noticed(browser: Browser, name: str) -> None:
    """Each kind of fault fails the test in which it happens, and a page without any does not."""
    script, wanted = _SCRIPTS[name]

    async def get_page(request: web.Request) -> web.Response:
        page = (
            "<!doctype html><html lang=en><title>x</title><link rel=icon href=data:,><body><script src=script></script>"
        )
        headers = {"Content-Security-Policy": _POLICY}
        return web.Response(text=page, content_type="text/html", headers=headers)

    async def get_script(request: web.Request) -> web.Response:
        return web.Response(text=script, content_type="text/javascript")

    app = web.Application()
    app.router.add_get("/", get_page)
    app.router.add_get("/script", get_script)
    async with TestServer(app) as server:
        url = f"http://127.0.0.1:{server.port}/"
        if wanted is None:
            async with opened(browser, url):
                pass
        else:
            with pytest.raises(AssertionError, match=wanted):
                async with opened(browser, url):
                    pass
