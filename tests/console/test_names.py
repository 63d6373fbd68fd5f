"""The names by which people, screen readers and tests outside this repository find the page's controls."""

import re
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.console.conftest import Open
from tests.console.screen import Screen, address
from tests.console.site import Project
from tests.console.words import in_chinese

# Role and name, as the outside contract has them. Names are looked for as parts of names, in any case.
SIGNED_OUT = [("textbox", "Token"), ("button", "Sign in")]
RANGE = [("button", name) for name in ("24 hours", "7 days", "30 days", "1 year", "All", "Apply")]
COLUMNS = ("User", "Launching", "Running", "Canceling", "Failed", "Finished", "Cancelled", "Input")
SIGNED_IN = [
    ("button", "Sign out"),
    ("group", "Range"),
    *RANGE,
    ("combobox", "User"),
    ("button", "Live"),
    ("button", "Refresh"),
    ("status", "As of"),
    ("table", "Users"),
    *(("columnheader", name) for name in COLUMNS),
    ("row", "Total"),
    ("searchbox", "Search users"),
]
ALWAYS = [("button", name) for name in ("中文", "English", "Dark", "Light")]

ALWAYS_IN_CHINESE = [("button", name) for name in ("中文", "English", "深色", "浅色")]


def named(page: Page, role: str, name: str) -> Locator:
    """What has this role, and the name in its name."""
    return page.get_by_role(role, name=name)  # type: ignore[arg-type]


async def assert_found(screen: Screen, controls: list[tuple[str, str]]) -> None:
    """Each of these is there, visible, and the only one of its role and name."""
    found = {control: await named(screen.page, *control).count() for control in controls}
    assert found == dict.fromkeys(controls, 1)
    for control in controls:
        await expect(named(screen.page, *control)).to_be_visible()


async def test_signed_out(site_address: str, tab: Open) -> None:
    """What is there before a person has signed in."""
    screen = await tab(f"{site_address}?lang=en")
    await expect(screen.button("Sign in")).to_be_visible()
    await assert_found(screen, [*SIGNED_OUT, *ALWAYS])
    assert await screen.page.get_by_role("alert").count() == 0


async def test_signed_in(sign_in: Open) -> None:
    """What is there once figures are: also by label, and nothing of before."""
    screen = await sign_in()
    await assert_found(screen, [*SIGNED_IN, *ALWAYS])
    page = screen.page
    group = page.get_by_role("group", name="Range")
    for role, name in RANGE:
        await expect(named_in(group, role, name)).to_have_count(1)
    for label in ("From", "To"):
        await expect(page.get_by_label(label)).to_have_count(1)
        await expect(group.get_by_label(label)).to_be_editable()
    for role, name in SIGNED_OUT:
        await expect(named(page, role, name)).to_have_count(0)
    for name in COLUMNS:
        await expect(page.get_by_role("columnheader", name=name, exact=True)).to_have_count(1)
    download = named(page, "button", "Download CSV").or_(named(page, "link", "Download CSV"))
    await expect(download).to_have_count(1)
    assert await page.get_by_role("alert").count() == 0


def named_in(parent: Locator, role: str, name: str) -> Locator:
    """What has this role and name inside another."""
    return parent.get_by_role(role, name=name)  # type: ignore[arg-type]


async def test_in_chinese(sign_in: Open) -> None:
    """The same roles, each with a Chinese name that is the only one of its kind."""
    screen = await sign_in({"lang": "zh"})
    missing = []
    for role, name in SIGNED_IN:
        counts = [await named(screen.page, role, chinese).count() for chinese in in_chinese(name)]
        if 1 not in counts:
            missing.append((role, name, in_chinese(name), counts))
    assert missing == []
    await assert_found(screen, ALWAYS_IN_CHINESE)


async def test_switches_say_how_they_stand(sign_in: Open) -> None:
    """Live, the languages, the themes and the presets: which one is pressed, by aria-pressed."""
    screen = await sign_in({"range": "7d"})
    pressed = {"English": "true", "中文": "false", "Light": "true", "Dark": "false", "7 days": "true", "All": "false"}
    for name, state in pressed.items():
        await expect(screen.button(name)).to_have_attribute("aria-pressed", state)
    light = await background(screen)
    await screen.button("Dark").click()
    await expect(screen.button("Dark")).to_have_attribute("aria-pressed", "true")
    assert await background(screen) != light
    before = await screen.button("Live").get_attribute("aria-pressed")
    assert before in {"true", "false"}
    await screen.button("Live").click()
    await expect(screen.button("Live")).to_have_attribute("aria-pressed", {"true": "false", "false": "true"}[before])


async def background(screen: Screen) -> str:
    """The colour behind the page, as its body has it."""
    return str(await screen.page.evaluate("getComputedStyle(document.body).backgroundColor"))


async def test_status_says_as_of(sign_in: Open) -> None:
    """The age of the figures is in the status."""
    screen = await sign_in()
    await expect(screen.page.get_by_role("status", name="As of")).to_have_text(re.compile(r"\d"))


@pytest.fixture
def site_address(project: Project) -> str:
    """The console's address."""
    return address(project.site.origin)


async def test_keyboard_reaches_and_works_everything(sign_in: Open) -> None:
    """The Tab key stops at each control, which shows that it has the focus; Enter and Space do what a click does."""
    screen = await sign_in({"range": "7d"})
    stops = await tab_stops(screen.page)
    names = [stop["name"] for stop in stops]
    wanted = ["Sign out", "24 hours", "All", "From", "To", "Apply", "User", "Live", "Refresh", "Search users"]
    wanted += ["Download CSV", "中文", "Dark"]
    assert [each for each in wanted if not any(each.lower() in name.lower() for name in names)] == []
    assert [stop for stop in stops if not stop["shown"]] == []
    await screen.button("30 days").focus()
    await screen.page.keyboard.press("Enter")
    await expect(screen.page).to_have_url(re.compile("range=30d"))
    await screen.button("Dark").focus()
    await screen.page.keyboard.press("Space")
    await expect(screen.button("Dark")).to_have_attribute("aria-pressed", "true")


_STOP = """() => {
    const at = document.activeElement;
    if (!at || at === document.body) return null;
    const style = getComputedStyle(at);
    const labels = [...(at.labels ?? [])].map((label) => label.textContent);
    const name = at.getAttribute("aria-label") ?? (labels.join(" ") || at.textContent);
    const again = window.lastStop === at; // an input of a date has several places
    window.lastStop = at;
    const first = again || !at.dataset.stopped;
    at.dataset.stopped = "yes";
    const shown = style.outlineStyle !== "none" || style.boxShadow !== "none";
    return { name: name.trim().slice(0, 60), shown, again, first };
}"""


async def tab_stops(page: Page) -> list[dict[str, Any]]:
    """Where the Tab key stops, once around the page: what it is named, and whether it shows that it has the focus."""
    stops: list[dict[str, Any]] = []
    await page.evaluate("document.activeElement?.blur()")
    for _ in range(300):
        await page.keyboard.press("Tab")
        stop = await page.evaluate(_STOP)
        if stop is None or stop["again"]:
            continue
        if not stop["first"]:
            return stops
        stops.append(stop)
    raise AssertionError("the Tab key never comes back to where it began")
