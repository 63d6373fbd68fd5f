"""The console as a person has it: a tab of a real browser, in which whatever goes wrong fails the test."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

from playwright.async_api import Browser, Locator, Page, expect

from tests.browser import Visit, visit

WIDE, PHONE, WALL = {"width": 1280, "height": 900}, {"width": 360, "height": 740}, {"width": 1920, "height": 1080}
STATISTICS = re.compile(r"/gene/statistics(\?|$)")
T = TypeVar("T")
_LOADS = 15_000
_AS_OF, _DIGIT = re.compile("As of|数据截至"), re.compile(r"\d")
_ROWS = """table => [...table.querySelectorAll("tr, [role=row]")]
    .map(row => [...row.querySelectorAll("th, td, [role=cell], [role=rowheader], [role=columnheader]")])
    .map(cells => cells.map(cell => cell.textContent.trim()))"""
# By the clock of the machine, and by that of the service, which the page believes where the two differ.
_BE_LATER = """laterMs => {
    const { now, parse } = Date;
    Date.now = () => now() + laterMs;
    Date.parse = (text) => parse(text) + laterMs;
}"""
_FIGURES = """[...document.querySelectorAll(".figure[data-status]")]
    .map(figure => [figure.dataset.status, figure.querySelector(".value").textContent])"""


def number(text: str) -> int:
    """A number as the page has it, in any of its languages; -1 for none."""
    return int(re.sub(r"[^0-9]", "", text) or -1)


@dataclass
class Screen:
    """An open console. `expected` are pieces of messages of the browser that a test brings about."""

    visited: Visit
    origin: str
    expected: list[str] = field(default_factory=list)

    @property
    def page(self) -> Page:
        """The page, as Playwright has it."""
        return self.visited.page

    def faults(self) -> list[str]:
        """What no page may do: say something on the browser's console, break its policy, ask at another address."""
        said = [text for text in self.visited.console if not any(piece in text for piece in self.expected)]
        elsewhere = [url for url in self.visited.asked if not url.startswith((f"{self.origin}/", "data:", "blob:"))]
        return said + [f"asked for {url}" for url in elsewhere]

    def expect_status(self, *statuses: int) -> None:
        """The browser itself tells of answers with these statuses; that is no fault from now on."""
        self.expected += [f"the server responded with a status of {status}" for status in statuses]

    def button(self, name: str) -> Locator:
        """The button that has this in its name."""
        return self.page.get_by_role("button", name=name)

    @property
    def users(self) -> Locator:
        """The table of users."""
        return self.page.get_by_role("table", name="Users")

    async def ready(self) -> None:
        """Waits until figures are there."""
        await expect(self.page.get_by_role("status", name=_AS_OF)).to_contain_text(_DIGIT, timeout=_LOADS)

    async def charts(self) -> None:
        """Waits until the charts are drawn."""
        await expect(self.page.locator("canvas").first).to_be_visible(timeout=_LOADS)

    async def be_later(self, minutes: int) -> None:
        """Puts the page's present forward, once more with each call, whatever it asks or hears meanwhile."""
        await self.page.evaluate(_BE_LATER, minutes * 60_000)

    async def comes_to(self, look: Callable[[], Awaitable[T]], wanted: T, within_seconds: float = 10.0) -> None:
        """Waits until what is seen is what is wanted; says what is seen instead if it does not come."""
        deadline = time.monotonic() + within_seconds
        while (seen := await look()) != wanted:
            if time.monotonic() > deadline:
                assert seen == wanted
            await asyncio.sleep(0.02)

    async def figures(self) -> dict[str, int]:
        """The large numbers of jobs, by state."""
        figures: list[list[str]] = await self.page.evaluate(_FIGURES)
        return {status: number(text) for status, text in figures}

    async def rows(self) -> dict[str, list[str]]:
        """The cells of each row of the table by its first one; the row Total is one of them."""
        rows: list[list[str]] = await self.users.evaluate(_ROWS)
        return {name: cells for name, *cells in rows}

    async def counts(self) -> dict[str, list[int]]:
        """Jobs by state of each user and in total, in the order of the columns, as the table has them."""
        rows = await self.rows()
        return {name: [number(cell) for cell in cells[:6]] for name, cells in rows.items() if name != "User"}

    def asked_for(self, pattern: re.Pattern[str] = STATISTICS) -> list[str]:
        """The addresses of this kind that were asked for, in their order."""
        return [url for url in self.visited.asked if pattern.search(url)]


def address(origin: str, token: str | None = None, **query: str) -> str:
    """The console's address for what is seen; with a token it signs in."""
    return f"{origin}/console" + (f"?{urlencode(query)}" if query else "") + (f"#token={token}" if token else "")


@asynccontextmanager
async def opened(
    browser: Browser, url: str, *, viewport: dict[str, int] = WIDE, **context: Any
) -> AsyncIterator[Screen]:
    """A tab at this address; once the test is through, nothing may have gone wrong in it."""
    parts = urlsplit(url)
    kept: dict[str, Any] = {"locale": "en-US", "timezone_id": "UTC", "color_scheme": "light", **context}
    async with visit(browser, url, viewport=viewport, **kept) as visited:
        screen = Screen(visited, f"{parts.scheme}://{parts.netloc}")
        yield screen
        await screen.page.evaluate("0")  # what the page said until now has come before its answer
        assert not screen.faults(), "\n".join(screen.faults())
