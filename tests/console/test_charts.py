"""The charts: what they show is what the service says, and what a person does on them changes what is seen."""

import csv
import io
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Download, Locator, expect

from service.events.event import JobEvent, JobStatus
from tests.console.conftest import Open
from tests.console.screen import PHONE, Screen, address
from tests.console.site import Project, present_ms

HOUR_MS = 3_600_000
# ECharts' own tooltip draws all bars anew for each move of the pointer: a tenth of a second and more, with so many.
_COUNT_FILLS = """() => {
    window.fills = 0;
    const { fill } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.fill = function (...all) {
        window.fills += 1;
        return fill.apply(this, all);
    };
}"""
STATUSES = ("launching", "running", "canceling", "failed", "finished", "cancelled")


def job(
    project: Project, status: JobStatus, start_ms: int, *, size: int = 1, name: str = "ann", number: int = 0
) -> JobEvent:
    """A job of a user with this name; there may be several of one name."""
    return JobEvent(
        project.id, str(uuid4()), f"{name.encode().hex()[:60]}-{number}", name, status, start_ms + 1, start_ms, size, 1
    )


async def shown(tab: Open, project: Project, query: Mapping[str, str] | None = None, **how: Any) -> Screen:
    """The console of a project, once its charts are drawn."""
    token = how.pop("token", None) or project.administrator()
    screen = await tab(address(project.site.origin, token, lang="en", **{"zone": "UTC", **(query or {})}), **how)
    for chart in await screen.page.locator("console-chart").all():
        await expect(chart.locator("canvas").first).to_be_visible(timeout=15_000)
    await expect(screen.page.locator("console-chart.donut canvas").first).to_be_visible(timeout=15_000)
    return screen


def seen(screen: Screen) -> dict[str, str]:
    """What the address says."""
    return {name: values[0] for name, values in parse_qs(urlsplit(screen.page.url).query).items()}


async def rows_of(screen: Screen, title: str) -> list[list[str]]:
    """The rows of the table beside a chart; its disclosure must be shut before."""
    await screen.button(f"{title}: table").click()
    table = screen.page.locator(".chart-foot", has=screen.button(f"{title}: table")).get_by_role("table")
    await expect(table).to_be_visible()
    return [await row.locator("th, td").all_inner_texts() for row in (await table.locator("tbody tr").all())]


async def saved(screen: Screen, name: str) -> bytes:
    """The file that a button saves."""
    async with screen.page.expect_download() as started:
        await screen.button(name).click()
    download: Download = await started.value
    return (await download.path()).read_bytes()


async def place(chart: Locator, x: float, y: float) -> tuple[float, float]:
    """A place on a chart, as shares of its width and height."""
    box = await chart.bounding_box()
    assert box is not None
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


async def test_states(tab: Open, project: Project) -> None:
    """Table and file have the oracle's figures; a button of the legend shows its state alone, and again all."""
    screen = await shown(tab, project, {"range": "all"})
    totals = project.oracle.answer(project.id)
    figures = [int(str(totals[f"total_{status}_num"])) for status in STATUSES]
    rows = await rows_of(screen, "States")
    assert [row[:2] for row in rows] == [
        [status.capitalize(), f"{n:,}"] for status, n in zip(STATUSES, figures, strict=True)
    ]
    lines = list(csv.reader(io.StringIO((await saved(screen, "States: data")).decode())))
    assert lines == [["status", "jobs"], *([status, str(n)] for status, n in zip(STATUSES, figures, strict=True))]

    failed = screen.page.locator(".chart-legend").get_by_role("button", name="Failed")
    await failed.press("Enter")
    await expect(failed).to_have_attribute("aria-pressed", "true")
    assert seen(screen)["state"] == "failed"
    await expect(screen.page.locator(".chart-marks li")).to_have_text(["Failed"])
    await failed.press("Enter")
    assert "state" not in seen(screen)


async def test_a_slice(tab: Open, empty_project: Project) -> None:
    """A click on a slice shows its state alone. The only one with jobs is the whole ring."""
    now = present_ms()
    await empty_project.apply([job(empty_project, JobStatus.FAILED, now - HOUR_MS)])
    screen = await shown(tab, empty_project)
    box = await screen.page.locator("console-chart.donut").bounding_box()
    assert box is not None
    radius = min(box["width"], box["height"]) / 2 * 0.79
    at = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 + radius
    await screen.page.mouse.move(*at)
    await expect(screen.page.locator(".chart-tooltip").first).to_contain_text("1 job")
    await screen.page.mouse.click(*at)
    await expect(screen.page).to_have_url(re.compile("state=failed"))


async def test_trend(tab: Open, empty_project: Project) -> None:
    """A click zooms into an interval, a span that is drawn becomes the range, Back undoes both; a key does the same."""
    start = present_ms() // (24 * HOUR_MS) * 24 * HOUR_MS - 48 * HOUR_MS
    starts = [start + hour * HOUR_MS for hour in range(24)]
    await empty_project.apply([job(empty_project, JobStatus.FINISHED, at, size=2**53 - 1) for at in starts])
    asked = {"from": str(start), "to": str(start + 24 * HOUR_MS), "interval": "1h"}
    screen = await shown(tab, empty_project, asked)
    rows = await rows_of(screen, "Trend")
    assert [row[2:] for row in rows] == [["yes", "0", "0", "0", "0", "1", "0"]] * 24
    chart = screen.page.locator("console-chart.trend")

    await screen.page.mouse.move(*await place(chart, 0.5, 0.5))
    await expect(chart.locator(".chart-at")).to_be_visible()
    await screen.page.mouse.move(*await place(chart, 0.01, 0.5))
    await expect(chart.locator(".chart-at")).to_be_hidden()  # beside the bars there is nothing to point at
    await screen.page.mouse.move(*await place(chart, 0.5, 0.5))
    await expect(chart.locator(".chart-tooltip")).to_contain_text("9,007,199,254,740,991 B")
    await screen.page.mouse.click(*await place(chart, 0.5, 0.5))
    await expect(screen.page.locator("figcaption", has_text="intervals of 1 min")).to_be_visible()
    assert int(seen(screen)["from"]) in starts
    assert int(seen(screen)["to"]) == int(seen(screen)["from"]) + HOUR_MS

    await screen.page.go_back()
    await expect(screen.page.locator("figcaption", has_text="intervals of 1 h")).to_be_visible()
    await screen.page.mouse.move(*await place(chart, 0.3, 0.5))
    await screen.page.mouse.down()
    await screen.page.mouse.move(*await place(chart, 0.6, 0.5))
    await expect(chart.locator(".chart-span")).to_be_visible()
    await screen.page.keyboard.press("Escape")
    await screen.page.mouse.up()
    assert seen(screen)["from"] == asked["from"]
    await screen.page.mouse.move(*await place(chart, 0.3, 0.5))
    await screen.page.mouse.down()
    await screen.page.mouse.move(*await place(chart, 0.6, 0.5))
    await screen.page.mouse.up()
    await expect(screen.page).not_to_have_url(re.compile(f"from={asked['from']}"))
    hours = (int(seen(screen)["to"]) - int(seen(screen)["from"])) // HOUR_MS
    assert 6 <= hours <= 9
    assert int(seen(screen)["from"]) in starts

    await screen.page.go_back()
    third = screen.page.locator("console-trend tbody").get_by_role("button").nth(2)
    await expect(screen.page.locator("console-trend tbody tr")).to_have_count(24)
    await third.press("Enter")
    await expect(screen.page).to_have_url(re.compile(f"from={starts[2]}&to={starts[3]}"))


async def test_what_a_trend_saves(tab: Open, empty_project: Project) -> None:
    """Exact bytes, instants with their offset and in milliseconds; a picture says by itself what it shows."""
    start = present_ms() // HOUR_MS * HOUR_MS - 3 * HOUR_MS + 120
    await empty_project.apply([job(empty_project, JobStatus.RUNNING, start + 5, size=2**53 - 1) for _ in range(1000)])
    query = {"from": str(start), "to": str(start + HOUR_MS), "interval": "1h", "zone": "Asia/Kathmandu"}
    screen = await shown(tab, empty_project, query)
    jobs = list(csv.DictReader(io.StringIO((await saved(screen, "Trend: data")).decode())))
    assert [(row["running_num"], row["is_partial"]) for row in jobs] == [("1000", "true"), ("0", "true")]
    assert int(jobs[0]["start_ms"]) == start
    assert datetime.fromisoformat(jobs[0]["start"]) == datetime.fromtimestamp(start / 1000, ZoneInfo("Asia/Kathmandu"))
    assert jobs[0]["start"].endswith(".120+05:45")

    await screen.page.get_by_role("group", name="Measure").get_by_role("button", name="Input").click()
    sizes = list(csv.DictReader(io.StringIO((await saved(screen, "Trend: data")).decode())))
    assert [int(row["input_size"]) for row in sizes] == [1000 * (2**53 - 1), 0]
    for title in ("States", "Trend", "Input"):
        picture = await saved(screen, f"{title}: picture")
        assert picture.startswith(b"\x89PNG")
        assert int.from_bytes(picture[16:20]) > 800


async def test_intervals(tab: Open, project: Project) -> None:
    """Those are offered of which the service answers as many points; what is chosen is in the address."""
    screen = await shown(tab, project, {"range": "30d"})
    choice = screen.page.get_by_role("combobox", name="Interval")
    names = await choice.get_by_role("option").all_inner_texts()
    assert names == ["Automatic (6 h)", "1 h", "6 h", "1 day", "1 week", "1 month"]
    await choice.select_option("1 day")
    await expect(screen.page.locator("figcaption", has_text="intervals of 1 day")).to_be_visible()
    assert seen(screen)["interval"] == "1d"


async def test_input_by_user(tab: Open, empty_project: Project) -> None:
    """The ten largest and the rest, exact; a bar or a button shows its user alone. A formula is made harmless."""
    now = present_ms()
    names = [f"user {number:02}" for number in range(14)] + ["=1+1"]
    sizes = [2**53 - 1 - number for number in range(15)]
    await empty_project.apply(
        [
            job(empty_project, JobStatus.FINISHED, now - HOUR_MS, size=s, name=n)
            for s, n in zip(sizes, names, strict=True)
        ]
        + [job(empty_project, JobStatus.FINISHED, now - HOUR_MS, size=2**53 - 1, name="=1+1", number=1)]
    )
    screen = await shown(tab, empty_project)
    rest = sum(sizes[9:14])
    rows = await rows_of(screen, "Input")
    assert rows[0] == ["=1+1", f"{sizes[14] + 2**53 - 1:,} B"]
    assert rows[1:] == [
        *([name, f"{size:,} B"] for name, size in zip(names[:9], sizes, strict=False)), ["5 others", f"{rest:,} B"]
    ]  # fmt: skip
    lines = list(csv.reader(io.StringIO((await saved(screen, "Input: data")).decode())))
    assert lines[1] == ["'=1+1", "1", str(sizes[14] + 2**53 - 1)]
    assert lines[-1] == ["5 others", "5", str(rest)]

    chart = screen.page.locator("console-chart.by_user")
    at = await place(chart, 0.9, 0.05)  # beside the bar, in its row
    await screen.page.mouse.move(*at)
    await expect(chart.locator(".chart-tooltip")).to_contain_text("=1+1")
    await screen.page.mouse.click(*at)
    await expect(screen.page).to_have_url(re.compile("user=%3D1%2B1"))
    figcaption = screen.page.locator(".chart-middle")
    await expect(figcaption).to_have_text("2jobs")


async def test_a_sub_user_has_no_bars_of_users(tab: Open, project: Project) -> None:
    """There is no trace of others."""
    screen = await shown(tab, project, token=project.sub_user("user-0", "ann"))
    await expect(screen.page.locator("console-chart")).to_have_count(2)


@pytest.mark.parametrize("how", [{}, {"color_scheme": "dark"}, {"viewport": PHONE}, {"reduced_motion": "reduce"}])
async def test_looks(tab: Open, project: Project, how: dict[str, Any]) -> None:
    """In both themes, on a phone, without motion, with patterns: nothing is wider than the page."""
    screen = await shown(tab, project, {"range": "7d"}, **how)
    await screen.button("Patterns").click()
    await expect(screen.page).to_have_url(re.compile("patterns=1"))
    await expect(screen.page.locator(".chart-legend")).to_have_class(re.compile("has-patterns"))
    assert await screen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    colours = await screen.page.evaluate(
        "[...document.querySelectorAll('.chart-mark')].map(e => getComputedStyle(e).backgroundImage)"
    )
    assert sum(colour != "none" for colour in colours) >= 5


async def test_two_thousand_points(tab: Open, empty_project: Project) -> None:
    """As many as the service answers are drawn, and are not drawn anew as the pointer goes over them."""
    end = present_ms() // 60_000 * 60_000
    rnd = Random(1)
    statuses = [JobStatus(rnd.randrange(6)) for _ in range(6_000)]
    await empty_project.apply(
        [job(empty_project, status, end - rnd.randrange(1, 1990 * 60_000)) for status in statuses]
    )
    screen = await shown(tab, empty_project, {"from": str(end - 1990 * 60_000), "to": str(end), "interval": "1m"})
    chart = screen.page.locator("console-chart.trend")
    await screen.page.evaluate(_COUNT_FILLS)
    for x in (0.2, 0.5, 0.8):
        await screen.page.mouse.move(*await place(chart, x, 0.5))
        await expect(chart.locator(".chart-tooltip")).to_contain_text("B")
    await screen.page.evaluate("new Promise(requestAnimationFrame)")
    assert await screen.page.evaluate("window.fills") == 0
    await screen.button("Trend: table").click()
    table = screen.page.locator("console-points table")
    await expect(table).to_have_attribute("aria-rowcount", "1991")
    assert await table.locator("tr").count() < 100
    await screen.page.locator(".disclosed").evaluate("each => { each.scrollTop = each.scrollHeight }")
    last = table.locator("tr[aria-rowindex='1991']")
    await expect(last).to_have_count(1)
    await last.scroll_into_view_if_needed()
    await expect(last.get_by_role("button")).to_be_in_viewport()
    await expect(last.get_by_role("cell").first).to_contain_text(
        datetime.fromtimestamp(end / 1000, UTC).strftime("%H:%M")
    )
    await last.get_by_role("button").press("Enter")
    await expect(screen.page).to_have_url(re.compile(f"from={end - 60_000}&to={end}"))


@pytest.mark.parametrize("status", [404, 500])
async def test_library_is_missing(tab: Open, project: Project, status: int) -> None:
    """The page says so in the place of each chart; figures and tables are there all the same."""
    screen = await tab(address(project.site.origin, lang="en"))
    screen.expect_status(status)
    await screen.page.route("**/vendor/echarts/*.js", lambda route: route.fulfill(status=status))
    await screen.page.goto(address(project.site.origin, project.administrator(), lang="en", range="all"))
    await screen.ready()
    said = screen.page.get_by_text("The chart could not be loaded. The table has its figures.")
    await expect(said).to_have_count(3)
    for each in await said.all():
        await expect(each).to_be_visible()
    await expect(screen.page.locator(".chart-middle")).to_be_hidden()
    assert [row[0] for row in await rows_of(screen, "States")] == [each.capitalize() for each in STATUSES]
    await expect(screen.users).to_be_visible()


async def test_instants_have_their_offset(tab: Open, site: Any) -> None:
    """In any zone, as Python has it."""
    screen = await tab(address(site.origin, lang="en"))
    module = await screen.page.locator("link[href$='/charts/times.js']").get_attribute("href")
    zones = ["UTC", "Asia/Shanghai", "America/St_Johns", "Pacific/Apia", "Africa/Monrovia", "Australia/Lord_Howe"]
    rnd = Random(7)
    instants = [rnd.randrange(2 * 10**12) for _ in range(50)]
    script = """async ([module, zones, instants]) => {
        const { isoText } = await import(new URL(module, document.baseURI));
        return zones.map(zone => instants.map(ms => isoText(ms, zone)));
    }"""
    texts = await screen.page.evaluate(script, [module, zones, instants])
    start = datetime(1970, 1, 1, tzinfo=UTC)
    for zone, said in zip(zones, texts, strict=True):
        for ms, text in zip(instants, said, strict=True):
            wanted = (start + timedelta(milliseconds=ms)).astimezone(ZoneInfo(zone))
            assert text == wanted.isoformat(timespec="milliseconds")


async def test_shares_that_are_almost_nothing_or_almost_all(tab: Open, site: Any) -> None:
    """No share of some jobs is called 0%, and none of fewer than all 100%."""
    screen = await tab(address(site.origin, lang="en"))
    module = await screen.page.locator("link[href$='/words/format.js']").get_attribute("href")
    script = """async module => {
        const { formatOf } = await import(new URL(module, document.baseURI));
        const format = formatOf({ language: "en", timeZone: "UTC" });
        const parts = [0, 1 / 1e6, 0.0005, 0.5, 1 - 1 / 1e6, 1];
        return [parts.map(part => format.part(part)), [0.125, 1 / 1e6, -1 / 1e6].map(share => format.share(share))];
    }"""
    parts, shares = await screen.page.evaluate(script, module)
    assert parts == ["0%", "< 0.1%", "0.1%", "50%", "> 99.9%", "100%"]
    assert shares == ["+12.5%", "< 0.1%", "< 0.1%"]
