"""Answers that come late, clocks that are wrong, addresses that ask for too much, files that do not come."""

import re
import time
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Browser, Route, expect

from tests.console.conftest import Open
from tests.console.events import DAY_MS
from tests.console.screen import Screen, address, opened
from tests.console.site import Project, Site, present_ms
from tests.console.test_figures import STATUSES, expected_rows

SERIES, CALLER, API = re.compile("/timeseries"), re.compile("/console/caller"), re.compile(r"/v2\.0/")
# What the columns of states have in the table of the trend.
_TREND = """[...document.querySelectorAll("console-trend tbody tr")]
    .flatMap(row => [...row.cells].slice(3).map(cell => Number(cell.textContent.replaceAll(",", ""))))
    .reduce((sum, jobs) => sum + jobs, 0)"""


def holding(held: list[Route], *, is_held: Callable[[Route], bool] = lambda _: True) -> Callable[..., Awaitable[None]]:
    """Keeps the first question of a kind for later, and lets all others go on."""

    async def hold(route: Route) -> None:
        if held or not is_held(route):
            await route.continue_()
        else:
            held.append(route)

    return hold


async def in_trend(screen: Screen) -> int:
    """The jobs in the table of the trend."""
    jobs: int = await screen.page.evaluate(_TREND)
    return jobs


async def test_trend_and_figures_answer_one_question(project: Project, sign_in: Open) -> None:
    """What changes how the page looks does not take up half of a filter whose trend is still awaited."""
    screen = await sign_in({"range": "all"})
    await screen.button("Trend: table").click()
    held: list[Route] = []
    await screen.page.route(SERIES, holding(held))
    async with screen.page.expect_request(SERIES):
        await screen.page.get_by_role("combobox", name="User").select_option("=ann")
    await screen.button("Patterns").click()
    await expect(screen.button("Patterns")).to_have_attribute("aria-pressed", "true")
    assert sum((await screen.figures()).values()) == await in_trend(screen) == len(project.events)
    await held[0].continue_()
    ann = sum(expected_rows(project, (None, None))["ann"])
    await screen.comes_to(lambda: in_trend(screen), ann)
    assert sum((await screen.figures()).values()) == ann


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ({"range": "1y", "interval": "1m", "zone": "europe/berlin"}, 365),
        ({"from": "0", "to": "8630000000000000", "zone": "+05:30"}, None),
        ({"from": "0", "to": "9007199254740991"}, 1),
    ],
    ids=["interval", "span", "no date"],
)
async def test_address_asks_for_too_much(
    project: Project, sign_in: Open, query: dict[str, str], days: int | None
) -> None:
    """What the service or the browser would refuse is not asked for; all else of the address is seen."""
    screen = await sign_in(query)
    since_ms = None if days is None else present_ms() - days * DAY_MS
    wanted = expected_rows(project, (since_ms, None))["Total"]
    await screen.comes_to(screen.figures, dict(zip(STATUSES, wanted, strict=True)))
    await expect(screen.page.get_by_role("main")).to_have_attribute("aria-busy", "false")
    await expect(screen.page.get_by_role("alert").filter(has_text=re.compile(r"\w"))).to_have_count(0)


async def test_service_asks_for_more_patience_than_there_is(sign_in: Open) -> None:
    """Whatever Retry-After says, the page asks again some day: after ten minutes."""
    screen = await sign_in({"range": "all"})
    screen.expect_status(503)
    await screen.page.route(API, lambda route: route.fulfill(status=503, headers={"Retry-After": "9" * 16}))
    await screen.button("Refresh").click()
    await expect(screen.page.get_by_role("alert").first).to_contain_text(re.compile(r"again in (9|10) min"))


async def test_last_sign_in_counts(site: Site, tab: Open) -> None:
    """The answer to a token that was given before does not take the place of the one that was given last."""
    first, last = Project(site), Project(site)
    screen = await tab(address(site.origin, lang="en"))
    held: list[Route] = []
    await screen.page.route(CALLER, holding(held))
    token = screen.page.get_by_role("textbox", name="Token")
    for project in (first, last):
        async with screen.page.expect_request(CALLER):
            await token.fill(project.administrator())
            await token.press("Enter")
    await screen.ready()
    await held[0].continue_()
    await screen.button("Refresh").click()
    await expect(screen.page.get_by_role("main")).to_have_attribute("aria-busy", "false")
    await expect(screen.page.get_by_role("banner")).to_contain_text(last.id)
    assert [url for url in screen.visited.asked if first.id in url] == []


async def test_file_of_who_has_signed_out(project: Project, sign_in: Open) -> None:
    """A file that was asked for with another token is not saved, and its failure does not sign out who came after."""
    screen = await sign_in({"range": "all"})
    held: list[Route] = []
    is_file = lambda route: route.request.headers["accept"] == "text/csv"  # noqa: E731
    await screen.page.route(API, holding(held, is_held=is_file))
    async with screen.page.expect_request(API):
        await screen.button("Download CSV").click()
    await screen.button("Sign out").click()
    await screen.page.get_by_role("textbox", name="Token").fill(Project(project.site).administrator())
    await screen.button("Sign in").click()
    await screen.ready()
    screen.expect_status(401)
    async with screen.page.expect_response(API):
        await held[0].fulfill(status=401, json={"error_code": "DLI.0003", "error_msg": "It has expired."})
    await screen.button("Refresh").click()
    await screen.ready()
    await expect(screen.page.get_by_role("textbox", name="Token")).to_have_count(0)


@pytest.mark.parametrize("hours", [5, -30], ids=["ahead", "behind"])
async def test_clock_of_the_viewer_is_wrong(project: Project, browser: Browser, hours: int) -> None:
    """24 hours are those of the service, whatever the clock of the machine says; so is the age of the figures."""
    async with opened(browser, f"{project.site.origin}/console") as screen:
        await screen.page.clock.set_fixed_time(time.time() + hours * 3600)
        await screen.page.goto(address(project.site.origin, project.administrator(), lang="en", range="24h"))
        await screen.ready()
        day = expected_rows(project, (present_ms() - DAY_MS, None))["Total"]  # no job is near the border
        await screen.comes_to(screen.figures, dict(zip(STATUSES, day, strict=True)))
        await expect(screen.page.get_by_role("status", name="As of")).not_to_contain_text("Stale")


async def test_style_sheet_is_of_another_version(project: Project, tab: Open) -> None:
    """While a release is rolled out a style sheet may be missing: then the page is loaded anew, until it is whole."""
    asked: list[str] = []

    async def refuse_first(route: Route) -> None:
        asked.append(route.request.url)
        await (route.fulfill(status=404) if len(asked) == 1 else route.continue_())

    screen = await tab(address(project.site.origin, lang="en"))
    screen.expect_status(404)
    await screen.page.route(re.compile(r"/style/page\.css"), refuse_first)
    await screen.page.goto(address(project.site.origin, project.administrator(), lang="en"))
    await expect(screen.page.locator("#trouble")).to_be_visible()
    await expect(screen.page.locator("#trouble")).to_be_hidden(timeout=15_000)
    await screen.ready()
    assert len(asked) == 2
