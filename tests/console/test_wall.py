"""The big screen: what stands on it, how one gets there and leaves, and that it lasts for weeks."""

import json
import re
from functools import partial

import pytest
from playwright.async_api import CDPSession, Locator, Route, expect

from tests.api.support import TOTALS, USER
from tests.console.conftest import Open
from tests.console.events import year_of_jobs
from tests.console.screen import WALL, Screen, address
from tests.console.site import Project, Site, present_ms

ON_THE_WALL = {"range": "all", "wall": "1"}
FIGURES = ("launching_num", "running_num", "canceling_num", "failed_num", "finished_num", "cancelled_num")


def figures(screen: Screen) -> Locator:
    """The large figures."""
    return screen.page.locator("console-figure")


async def open_wall(tab: Open, project: Project, **browser: object) -> Screen:
    """A wall that has figures and listens."""
    url = address(project.site.origin, project.administrator(), **{"lang": "en", **ON_THE_WALL})
    screen: Screen = await tab(url, **{"viewport": WALL, **browser})
    await expect(figures(screen)).to_have_count(7, timeout=15_000)
    return screen


def counted(project: Project) -> list[str]:
    """What the six states must show."""
    answer = project.oracle.answer(project.id)
    return [f"{answer[f'total_{name}']:,}" for name in FIGURES]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_wall_shows_figures_and_nothing_to_press(tab: Open, project: Project, scheme: str) -> None:
    """The figures of a recount and their age, on one screen, without a control; axe finds nothing."""
    screen = await open_wall(tab, project, color_scheme=scheme)
    assert await figures(screen).all_inner_texts() == [*counted(project), await figures(screen).last.inner_text()]
    await expect(screen.page.get_by_role("status", name="As of")).to_be_visible()
    await expect(screen.page.locator("header p")).to_contain_text("UTC")  # whose clock the times are of
    for role in ("button", "link", "combobox", "textbox"):
        assert await screen.page.get_by_role(role).count() == 0, role
    assert await screen.page.evaluate("document.documentElement.scrollHeight") <= WALL["height"]
    for figure in await figures(screen).all():
        assert await figure.evaluate("each => each.scrollWidth <= each.clientWidth")
        assert await figure.evaluate("each => parseFloat(getComputedStyle(each).fontSize)") > WALL["height"] / 15
    assert await screen.visited.findings() == []


async def test_one_gets_there_and_leaves(sign_in: Open) -> None:
    """By its button, which fills the screen; by Escape and by a click; and Back leads there again."""
    screen = await sign_in({"range": "all"})
    page = screen.page
    await screen.button("Big screen").click()
    await expect(figures(screen)).to_have_count(7)
    assert "wall=1" in page.url
    await page.keyboard.press("Escape")
    await expect(screen.users).to_be_visible()
    assert "wall=1" not in page.url
    await page.go_back()
    await expect(figures(screen)).to_have_count(7)
    await page.mouse.click(200, 200)
    await expect(screen.users).to_be_visible()


async def test_wall_follows_what_happens(tab: Open, project: Project) -> None:
    """A change comes by itself, and its figure marks itself."""
    screen = await open_wall(tab, project)
    await project.apply(year_of_jobs(project.id, present_ms(), jobs=41, names=("ann",)))
    for at, text in enumerate(counted(project)):
        await expect(figures(screen).nth(at)).to_have_text(text)
    await expect(screen.page.locator("console-figure[class*=changed]").first).to_be_visible()


async def test_wall_outlives_an_outage(tab: Open, own_site: Site) -> None:
    """The last good figures stay, the page says since when nothing came, and goes on by itself."""
    project = Project(own_site)
    await project.apply(year_of_jobs(project.id, present_ms()))
    screen = await open_wall(tab, project)
    screen.expected += ["ERR_", "503"]
    wanted = counted(project)
    await screen.page.context.set_offline(True)
    alert = screen.page.get_by_role("alert")
    await expect(alert).to_contain_text("The figures below are the last good ones, as of", timeout=90_000)
    assert (await figures(screen).all_inner_texts())[:6] == wanted
    await project.apply(year_of_jobs(project.id, present_ms(), jobs=41, names=("ann",)))
    await screen.page.context.set_offline(False)
    for at, text in enumerate(counted(project)):
        await expect(figures(screen).nth(at)).to_have_text(text, timeout=40_000)
    await expect(alert).to_have_count(0, timeout=90_000)


@pytest.mark.parametrize(("age_minutes", "how", "says"), [(3, "late", None), (6, "stale", "Answers are old")])
async def test_age_is_told_across_the_room(
    tab: Open, project: Project, age_minutes: int, how: str, says: str | None
) -> None:
    """Amber says that figures are late; red what to do, and where it is written."""
    screen = await open_wall(tab, project)  # nothing moves its as-of on
    await screen.be_later(age_minutes)
    await expect(screen.page.get_by_role("status", name="As of")).to_have_class(f"as-of {how}")
    await expect(screen.page.locator(".note.bad")).to_have_count(0 if says is None else 1)
    await screen.charts()
    if says is not None:
        await expect(screen.page.locator(".note.bad")).to_contain_text(says)
    assert await screen.page.evaluate("document.documentElement.scrollHeight") <= WALL["height"]


async def test_token_ends_on_the_wall(tab: Open, project: Project) -> None:
    """The wall says so, and of when its last figures were; whoever comes signs in, and it is a wall again."""
    token = project.administrator(exp=present_ms() // 1000 + 6)
    screen = await tab(address(project.site.origin, token, lang="en", **ON_THE_WALL), viewport=WALL)
    screen.expect_status(401)
    await expect(figures(screen)).to_have_count(7)
    alert = screen.page.get_by_role("alert").filter(has_text="This token is not accepted")
    await expect(alert).to_contain_text("The last figures here were as of", timeout=30_000)
    await expect(figures(screen)).to_have_count(0)  # whose token has ended may not see them any more
    token_box = screen.page.get_by_role("textbox", name="Token")
    await token_box.fill(project.administrator())
    await screen.button("Sign in").click()
    await expect(alert).to_have_count(0)
    await expect(figures(screen)).to_have_count(7)


async def test_wall_does_not_grow(tab: Open, project: Project) -> None:
    """Five hundred changes that come in one stream, and its breaks meanwhile, leave no node and no listener behind."""
    screen = await open_wall(tab, project)
    session = await screen.page.context.new_cdp_session(screen.page)
    await session.send("Performance.enable")
    finished = figures(screen).nth(4)
    counts: list[tuple[float, float]] = []
    for changes in (range(1, 20), range(1_000, 1_500)):
        body = "".join(changed(number) for number in changes)
        reply = partial(fulfill, body=body)
        await screen.page.route(re.compile("/statistics/stream"), reply)
        if not counts:
            await screen.page.reload()
            await expect(screen.page.locator("canvas")).to_have_count(2)
        await expect(finished).to_have_text(f"{changes[-1]:,}", timeout=60_000)
        counts.append(await kept(session))
    assert counts[1] == pytest.approx(counts[0], abs=60)
    await expect(screen.page.get_by_text("Escape or a click")).not_to_be_visible()  # it was there long enough


def changed(number: int) -> str:
    """An event that says that so many jobs have finished."""
    statistics = {"users": [{**USER, "finished_num": number}], **TOTALS, "total_finished_num": number}
    return f"event: statistics\ndata: {json.dumps({'as_of': present_ms(), 'statistics': statistics})}\n\n"


async def fulfill(route: Route, body: str) -> None:
    """Answers with a stream that ends."""
    await route.fulfill(body=body, content_type="text/event-stream")


async def kept(session: CDPSession) -> tuple[float, float]:
    """How many nodes and listeners the page holds."""
    await session.send("HeapProfiler.collectGarbage")
    metrics = {each["name"]: each["value"] for each in (await session.send("Performance.getMetrics"))["metrics"]}
    return metrics["Nodes"], metrics["JSEventListeners"]
