"""The page for people: in a real browser, and as HTML."""

import logging
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from service.api.docs_page.html import markdown, tag
from service.api.docs_page.page import render
from service.api.openapi.document import describe
from service.api.rate_limit import RateLimit
from service.http.errors import CATALOGUE
from service.http.policy import HttpPolicy
from tests.api.support import Api, served
from tests.browser import visit

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


@pytest.mark.parametrize(("scheme", "viewport"), [("light", WIDE), ("dark", PHONE)], ids=["wide", "phone"])
async def test_browser_shows_it(api: Api, browser: Browser, viewport: Any, scheme: str) -> None:
    """Nothing is blocked, nothing is asked for elsewhere, nothing is cut off, and axe finds nothing."""
    base = f"http://127.0.0.1:{api.port}"
    async with visit(browser, f"{base}/docs", viewport=viewport, color_scheme=scheme) as visited:
        page = visited.page
        await page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        assert await visited.findings() == []
        assert visited.console == []
        assert set(visited.asked) == {f"{base}/docs", f"{base}/docs/style.css"}
        assert await page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
        background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 24, 28)")


async def test_browser_finds_what_it_describes(api: Api, browser: Browser) -> None:
    """Each operation, body and subject has a heading, and each entry of the contents leads to one."""
    description = describe(RateLimit(0))
    async with visit(browser, f"http://127.0.0.1:{api.port}/docs") as visited:
        page = visited.page
        named = set(await page.get_by_role("heading").all_inner_texts())
        summaries = {methods["get"]["summary"] for methods in description["paths"].values()}
        assert summaries | set(description["components"]["schemas"]) | {"Errors", "Intervals and numbers"} <= named
        links = page.get_by_role("navigation", name="Contents").get_by_role("link")
        targets = [await link.get_attribute("href") for link in await links.all()]
        assert len(targets) > len(summaries)
        for target in targets:
            assert target is not None
            assert await page.locator(target).count() == 1, target


async def test_it_is_whole_below_a_prefix(browser: Browser) -> None:
    """Where a proxy leaves its path in the address, the style sheet and the document are found there."""
    async with served(policy=HttpPolicy(prefix="/statistics")) as api:
        base = f"http://127.0.0.1:{api.port}/statistics"
        async with visit(browser, f"{base}/docs", color_scheme="dark") as visited:
            assert visited.asked == [f"{base}/docs", f"{base}/docs/style.css"]
            assert await visited.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 28)"
            await visited.page.get_by_role("link", name="OpenAPI document").click()
            await visited.page.wait_for_url(f"{base}/openapi.json")


async def test_keyboard_reaches_the_content_first(api: Api, browser: Browser) -> None:
    """The first stop of the Tab key skips the contents; answers open with the keyboard."""
    async with visit(browser, f"http://127.0.0.1:{api.port}/docs") as visited:
        page = visited.page
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.textContent") == "Skip to the content"
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "content"
        opened = page.locator("details[open]")
        opened_before = await opened.count()
        await page.locator("details:not([open]) > summary").first.focus()
        await page.keyboard.press("Enter")
        await expect(opened).to_have_count(opened_before + 1)


async def test_policy_lets_nothing_in(api: Api) -> None:
    """The page has no script, so its policy allows none; nothing inline, and no other address."""
    async with api.client.get("/docs") as response:
        policy = response.headers["Content-Security-Policy"]
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "<script" not in await response.text()
    assert policy.startswith("default-src 'none'; style-src 'self';")
    assert "unsafe" not in policy
    async with api.client.get("/docs/style.css") as response:
        assert response.headers["Content-Type"] == "text/css; charset=utf-8"


def test_links_are_relative() -> None:
    """Below a proxy's path the page finds its style sheet and its document, and the example asks there."""
    page = render(describe(RateLimit(0), "/statistics")).decode()
    assert 'href="docs/style.css"' in page
    assert 'href="openapi.json"' in page
    assert "https://HOST/statistics/v2.0/" in page


def test_every_error_is_on_the_page() -> None:
    """Each code of the catalogue, and both languages of each message."""
    page = render(describe(RateLimit(7))).decode()
    for kind in CATALOGUE:
        assert all(text in page for text in (kind.code, kind.message.english, kind.message.chinese))


def test_text_is_escaped() -> None:
    """Text cannot become HTML, in an element, in an attribute, or in Markdown."""
    assert tag("p", "<b>&", title='"<') == '<p title="&quot;&lt;">&lt;b&gt;&amp;</p>'
    assert markdown("<script>alert(1)</script>") == "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"


def test_rendering_writes_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """At no level: the library that reads Markdown would write thousands of lines at DEBUG."""
    caplog.set_level(logging.DEBUG)
    render(describe(RateLimit(0)))
    assert caplog.records == []
