"""Signing in and out: by the form, by a link, and what is kept of the token."""

import re
import time

import pytest
from playwright.async_api import expect

from tests.console.conftest import Open
from tests.console.screen import Screen, address
from tests.console.site import Project

_KEPT = """() => ({
    address: location.href,
    local: JSON.stringify(localStorage),
    cookies: document.cookie,
    session: JSON.stringify(sessionStorage),
    page: document.documentElement.outerHTML,
})"""


async def assert_token_is_kept_in_the_tab_alone(screen: Screen, token: str) -> None:
    """It is in the session storage at most; not even the address bar's history has it."""
    kept = await screen.page.evaluate(_KEPT)
    assert [place for place, text in kept.items() if token in text and place != "session"] == []
    client = await screen.page.context.new_cdp_session(screen.page)
    history = await client.send("Page.getNavigationHistory")
    assert token not in str([entry["url"] for entry in history["entries"]])
    assert [url for url in screen.visited.asked if token in url and "#" not in url] == []


async def test_form(project: Project, tab: Open) -> None:
    """A person pastes a token, with the white space around it that a terminal gives, and sees figures."""
    screen = await tab(address(project.site.origin, lang="en"))
    token = project.administrator()
    await screen.page.get_by_role("textbox", name="Token").fill(f"  {token}\n")
    await screen.button("Sign in").click()
    await screen.ready()
    await expect(screen.page.locator(".who")).to_contain_text("administrator sees all users")  # whose name that is
    await assert_token_is_kept_in_the_tab_alone(screen, token)
    await screen.page.reload()
    await screen.ready()


async def test_link(project: Project, tab: Open) -> None:
    """A link with the token signs in; the address is clean before the program begins."""
    token = project.administrator()
    screen = await tab(address(project.site.origin, token, lang="en", range="30d"))
    assert "#" not in screen.page.url
    await screen.ready()
    assert re.search(r"range=30d", screen.page.url)
    await assert_token_is_kept_in_the_tab_alone(screen, token)


async def test_link_in_an_open_tab(project: Project, empty_project: Project, tab: Open) -> None:
    """A link that is opened in a tab of another caller signs in the new one."""
    screen = await tab(address(project.site.origin, project.administrator(), lang="en", range="all"))
    await screen.ready()
    token = empty_project.administrator()
    await screen.page.goto(address(project.site.origin, token, lang="en", range="all"))
    await expect(screen.page.get_by_text(project.events[0].user_name, exact=True)).to_have_count(0)  # type: ignore[attr-defined]
    assert "#" not in screen.page.url
    await assert_token_is_kept_in_the_tab_alone(screen, token)


async def test_link_that_cannot_be_read(project: Project, tab: Open) -> None:
    """It signs nobody in, and leaves nobody signed in: who opens it wants to be somebody else."""
    screen = await tab(address(project.site.origin, project.administrator(), lang="en", range="all"))
    await screen.ready()
    await screen.page.goto(address(project.site.origin, "%zz", lang="en", range="all"))
    await expect(screen.button("Sign in")).to_be_visible()
    assert "#" not in screen.page.url


async def test_sign_out(project: Project, tab: Open) -> None:
    """Nothing of the token, and no figure, is left; Back does not bring them, another tab was never signed in."""
    token = project.administrator()
    screen = await tab(address(project.site.origin, token, lang="en"))
    await screen.ready()
    other = await screen.page.context.new_page()
    await other.goto(address(project.site.origin, lang="en"))
    await expect(other.get_by_role("button", name="Sign in")).to_be_visible()
    await screen.button("Sign out").click()
    await expect(screen.button("Sign in")).to_be_visible()
    await expect(screen.users).to_have_count(0)
    assert token not in str(await screen.page.evaluate(_KEPT))
    await screen.page.reload()
    await expect(screen.button("Sign in")).to_be_visible()


@pytest.mark.parametrize("token", ["no token", "a.b.c", "中文"], ids=["words", "dots", "Chinese"])
async def test_token_that_is_none(project: Project, tab: Open, token: str) -> None:
    """It says so, and the form stays."""
    screen = await tab(address(project.site.origin, lang="en"))
    screen.expect_status(401)
    await screen.page.get_by_role("textbox", name="Token").fill(token)
    await screen.button("Sign in").click()
    await expect(screen.page.get_by_role("alert")).to_have_text(re.compile("token", re.IGNORECASE))
    await expect(screen.button("Sign in")).to_be_enabled()
    await screen.page.get_by_role("textbox", name="Token").fill(" ")
    await screen.button("Sign in").click()
    await expect(screen.page.get_by_role("alert")).to_have_count(1)


async def test_expired_link(project: Project, tab: Open) -> None:
    """A token that has expired asks to sign in again, and what was to be seen stays in the address."""
    screen = await tab(
        address(project.site.origin, project.administrator(exp=int(time.time()) - 10), lang="en", range="30d")
    )
    screen.expect_status(401)
    await expect(screen.page.get_by_role("alert")).to_be_visible()
    await expect(screen.page.get_by_role("textbox", name="Token")).to_be_visible()
    await screen.page.get_by_role("textbox", name="Token").fill(project.administrator())
    await screen.button("Sign in").click()
    await screen.ready()
    await expect(screen.button("30 days")).to_have_attribute("aria-pressed", "true")
    await expect(screen.page.get_by_role("alert")).to_have_count(0)
