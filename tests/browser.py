"""A real browser for the tests of pages: what it blocks, what it asks for, and what axe finds."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, Response, async_playwright

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
# Run in the page before anything of its own.
_NOTE_VIOLATIONS = (
    "document.addEventListener('securitypolicyviolation', e => console.error('blocked: ' + e.blockedURI))"
)


def find_browser() -> str | None:
    """The path of a Chromium, or None."""
    return next((path for path in map(shutil.which, _PROGRAMS) if path), None)


@asynccontextmanager
async def started(program: str) -> AsyncIterator[Browser]:
    """The browser, without a window."""
    async with async_playwright() as playwright:
        # Its sandbox needs rights that a container's root does not have. It loads what the tests serve alone.
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        await browser.close()


@dataclass
class Visit:
    """An open page, with everything that its console said, the addresses that it asked for, and what was answered."""

    page: Page
    console: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)

    async def findings(self) -> list[Any]:
        """What axe finds on the page as it is now: the rule and the elements."""
        results = await Axe().run(self.page)
        return [(each["id"], [node["html"] for node in each["nodes"]]) for each in results.response["violations"]]


@asynccontextmanager
async def visit(browser: Browser, url: str, **context: Any) -> AsyncIterator[Visit]:
    """A page in a context of its own, which may have a viewport and a colour scheme."""
    opened = await browser.new_context(**context)
    page = await opened.new_page()
    visited = Visit(page)
    page.on("console", lambda message: visited.console.append(message.text))
    page.on("pageerror", lambda error: visited.console.append(str(error)))
    page.on("request", lambda request: visited.asked.append(request.url))
    page.on("response", lambda answer: visited.answers.append(answer))  # noqa: PLW0108 - Playwright wants a function
    await page.add_init_script(_NOTE_VIOLATIONS)
    await page.goto(url)
    yield visited
    await opened.close()
