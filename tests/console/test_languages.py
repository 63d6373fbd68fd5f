"""Both languages are whole: no text of one is on the page of the other."""

import re

import pytest
from playwright.async_api import Page, expect

from service.events.event import JobEvent, JobStatus
from tests.console.conftest import Open
from tests.console.screen import Screen, address
from tests.console.site import Project, Site, present_ms
from tests.console.test_faults import API, refusing
from tests.console.words import words

# Every text that a person sees, hears, or gets by pointing at something.
_TEXTS = """() => {
    const texts = [document.title];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const node = walk.currentNode;
        if (node.nodeType === Node.TEXT_NODE) {
            const at = node.parentElement;
            if (!at.closest("script, style, noscript, #trouble, option")) texts.push(node.data);
        } else {
            for (const name of ["aria-label", "title", "placeholder", "alt", "aria-description", "aria-valuetext"])
                if (node.hasAttribute(name)) texts.push(node.getAttribute(name));
        }
    }
    return texts.map((text) => text.trim()).filter(Boolean);
}"""
_CHINESE = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
_LATIN = re.compile(r"[A-Za-z]+")
# What is the same in Chinese: names of things, units, zones, and the other language's own name.
_SAME = {"English", "CSV", "PNG", "UTC", "Esc", "GMT", "Asia", "Shanghai", "X", "Auth", "Token"}
_SAME |= {"B", "kB", "MB", "GB", "TB", "PB", "EB"}


async def texts(page: Page, project: Project) -> list[str]:
    """All texts of the page, without the project's id."""
    return [text for text in await page.evaluate(_TEXTS) if project.id not in text]


def foreign(text: str, language: str) -> list[str]:
    """What in a text is of the other language."""
    if language == "zh":
        return [word for word in _LATIN.findall(text) if word not in _SAME]
    return _CHINESE.findall(text) if text != "中文" else []


async def assert_whole(screen: Screen, project: Project, language: str) -> None:
    """Nothing on the page is of the other language, and no number, date or size is without its format."""
    found = {text: foreign(text, language) for text in await texts(screen.page, project)}
    assert {text: words for text, words in found.items() if words} == {}
    assert not [text for text in found if re.search(r"undefined|null|NaN|\{\w+\}|\[object", text)]


@pytest.fixture
async def numbered(site: Site) -> Project:
    """A project whose users have numbers for names, so that each word on the page is the page's own."""
    project = Project(site)
    now = present_ms()
    ages = (3_600_000, 86_400_000 * 20, 86_400_000 * 200)
    await project.apply(
        JobEvent(project.id, f"{user}-{status}-{age}", f"user-{user}", str(1000 + user), status, 1, now - age, 2**50)
        for user in range(3)
        for status in JobStatus
        for age in ages
    )
    return project


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_signed_in(numbered: Project, sign_in: Open, language: str) -> None:
    """Figures of all ranges, with a state and a user chosen, everything opened, and an error of the service's own."""
    token = numbered.administrator(name="7")
    query = {"lang": language, "zone": "Asia/Shanghai"}
    screen = await sign_in({**query, "range": "30d"}, of=numbered, token=token)
    await screen.charts()
    await assert_whole(screen, numbered, language)
    for summary in await screen.page.locator("details:not([open]) > summary").all():
        await summary.click()
    await assert_whole(screen, numbered, language)
    screen.expect_status(503)
    message = {"en": "The store cannot be reached.", "zh": "无法连接存储。"}[language]
    await screen.page.route(API, refusing(503, "DLI.0012", message, **{"Retry-After": "30"}))
    await screen.page.goto(
        address(numbered.site.origin, **query, range="all", user="1001", state="failed", patterns="1")
    )
    await expect(screen.page.get_by_role("alert")).to_be_visible()
    await assert_whole(screen, numbered, language)


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_signed_out(project: Project, tab: Open, language: str) -> None:
    """The form, and what it says of a token that is none."""
    screen = await tab(address(project.site.origin, lang=language))
    await expect(screen.page.get_by_role("textbox")).to_be_visible()
    await assert_whole(screen, project, language)
    screen.expect_status(401)
    await screen.page.get_by_role("textbox").fill("none")
    await screen.page.keyboard.press("Enter")
    await expect(screen.page.get_by_role("alert")).to_be_visible()
    await assert_whole(screen, project, language)


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_empty_project(empty_project: Project, sign_in: Open, language: str) -> None:
    """A project in which nothing has happened."""
    screen = await sign_in({"lang": language}, of=empty_project, token=empty_project.administrator(name="7"))
    await assert_whole(screen, empty_project, language)


def test_every_text_has_both() -> None:
    """The same keys with the same places for values, and no English text stands in for a Chinese one."""
    english, chinese = words("en"), words("zh")
    assert english.keys() == chinese.keys()
    places = re.compile(r"\{\w+\}")
    for key, text in english.items():
        assert set(places.findall(text)) == set(places.findall(chinese[key])), key
        assert foreign(chinese[key].replace("Token", ""), "zh") == [] or places.search(chinese[key]), key
        assert foreign(text, "en") == [], key


async def test_browser_chooses(project: Project, tab: Open) -> None:
    """The browser's language is that of the page until a person or the address says otherwise, and stays with it."""
    screen = await tab(address(project.site.origin), locale="zh-CN")
    await expect(screen.button("登录")).to_be_visible()
    await screen.button("English").click()
    await expect(screen.button("Sign in")).to_be_visible()
    assert "lang=en" in screen.page.url
    await screen.page.reload()
    await expect(screen.button("Sign in")).to_be_visible()
    other = await tab(address(project.site.origin), locale="de-DE")
    await expect(other.button("Sign in")).to_be_visible()
