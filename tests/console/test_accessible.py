"""The page keeps nobody out: what axe finds in each of its states, on a wall and on a phone, in both themes."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Route, expect

from tests.console.conftest import Open
from tests.console.screen import PHONE, WALL, WIDE, Screen, address
from tests.console.site import Project
from tests.console.test_faults import API, refusing

LOOKS = {
    "light": {"viewport": WIDE, "color_scheme": "light"},
    "dark": {"viewport": WIDE, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "color_scheme": "light", "has_touch": True, "is_mobile": True},
    "dark phone": {"viewport": PHONE, "color_scheme": "dark", "has_touch": True, "is_mobile": True},
}
looks = pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())


async def assert_well(screen: Screen) -> None:
    """Axe finds nothing, nothing sticks out at the side, and the page has one heading of the first order."""
    assert await screen.visited.findings() == []
    width = await screen.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1]
    assert await screen.page.get_by_role("heading", level=1).count() == 1


@looks
async def test_signing_in(project: Project, tab: Open, look: dict[str, Any]) -> None:
    """The form, the form with an error, and the page before its first answer."""
    screen = await tab(address(project.site.origin, lang="en"), **look)
    await expect(screen.button("Sign in")).to_be_visible()
    await assert_well(screen)
    screen.expect_status(401)
    await screen.page.get_by_role("textbox", name="Token").fill("none")
    await screen.button("Sign in").click()
    await expect(screen.page.get_by_role("alert")).to_be_visible()
    await assert_well(screen)
    answers = asyncio.Event()

    async def hold(route: Route) -> None:
        await answers.wait()
        await route.continue_()

    await screen.page.route(API, hold)
    await screen.page.get_by_role("textbox", name="Token").fill(project.administrator())
    await screen.button("Sign in").click()
    await expect(screen.button("Sign out")).to_be_visible()
    await assert_well(screen)
    answers.set()
    await screen.ready()


@looks
async def test_figures(sign_in: Open, look: dict[str, Any]) -> None:
    """Figures, charts, everything that can be opened, and an error above them."""
    screen = await sign_in({"range": "30d"}, **look)
    await screen.charts()
    await assert_well(screen)
    for summary in await screen.page.locator("details:not([open]) > summary").all():
        await summary.click()
    await assert_well(screen)
    screen.expect_status(503)
    await screen.page.route(API, refusing(503, "DLI.0012", "The store cannot be reached.", **{"Retry-After": "30"}))
    await screen.button("Refresh").click()
    await expect(screen.page.get_by_role("alert")).to_be_visible()
    await assert_well(screen)


@looks
async def test_empty(empty_project: Project, sign_in: Open, look: dict[str, Any]) -> None:
    """A project in which nothing has happened."""
    await assert_well(await sign_in(of=empty_project, **look))


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_wall(sign_in: Open, scheme: str) -> None:
    """The big screen, which has no controls, and patterns."""
    screen = await sign_in({"range": "30d", "wall": "1", "patterns": "1"}, viewport=WALL, color_scheme=scheme)
    await assert_well(screen)


async def test_chinese(sign_in: Open) -> None:
    """The language is said to those who read it aloud."""
    screen = await sign_in({"lang": "zh"})
    await assert_well(screen)
    assert str(await screen.page.evaluate("document.documentElement.lang")).startswith("zh")


async def test_focus_is_not_lost_with_what_had_it(sign_in: Open) -> None:
    """A chip that goes, and a wall that comes and goes, leave the keyboard at the figures, not at the page's top."""
    screen = await sign_in({"state": "failed"})
    main = screen.page.get_by_role("main")
    await screen.button("Remove State: Failed").press("Enter")
    await expect(main).to_be_focused()
    await screen.button("Big screen").press("Enter")
    await expect(screen.page.locator("main.wall")).to_be_focused()
    await screen.page.keyboard.press("Escape")
    await expect(screen.button("Big screen")).to_be_visible()
    await expect(main).to_be_focused()


async def test_long_name_fits_a_narrow_page(sign_in: Open) -> None:
    """At 320 px, as at 400 %, a name of 128 letters is broken: nothing is to be scrolled sideways for."""
    screen = await sign_in({"range": "all", "user": "w" * 128}, viewport={"width": 320, "height": 640})
    await expect(screen.page.get_by_role("button", name="Remove User")).to_be_visible()
    assert await screen.page.evaluate("document.documentElement.scrollWidth") == 320
