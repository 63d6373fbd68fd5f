"""The figures on the page equal a recount of the events, whatever part of them is seen."""

import re
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import expect

from tests.console.conftest import Open
from tests.console.events import DAY_MS
from tests.console.screen import Screen
from tests.console.site import Project, present_ms

MINUTE_MS = 60_000
LENGTHS_DAYS = {"24 hours": 1, "7 days": 7, "30 days": 30, "1 year": 365}
# in the order of the table's columns
STATUSES = ("launching", "running", "canceling", "failed", "finished", "cancelled")


def asked_bounds(url: str) -> tuple[int | None, int | None]:
    """The bounds that an address asks statistics for."""
    query = parse_qs(urlsplit(url).query)
    start, end = query.get("start"), query.get("end")
    return int(start[0]) if start else None, int(end[0]) if end else None


def expected_rows(
    project: Project, bounds: tuple[int | None, int | None], user_id: str | None = None
) -> dict[str, list[int]]:
    """Users and the total with their jobs by state, by a recount."""
    answer: Any = project.oracle.answer(project.id, *bounds, user_id)
    rows = {row["user_name"]: [row[f"{status}_num"] for status in STATUSES] for row in answer.get("users", [])}
    return {**rows, "Total": [answer[f"total_{status}_num"] for status in STATUSES]}


async def assert_shows(screen: Screen, rows: dict[str, list[int]]) -> None:
    """The large figures come to be those of the row Total, and the table to have these rows."""
    await screen.comes_to(screen.figures, dict(zip(STATUSES, rows["Total"], strict=True)))
    await screen.comes_to(screen.counts, rows)


async def test_presets(project: Project, sign_in: Open) -> None:
    """Each preset counts what began since then, and the address keeps it."""
    screen = await sign_in({"range": "all"})
    for name in (*LENGTHS_DAYS, "All"):
        await screen.button(name).click()
        start_ms = present_ms() - LENGTHS_DAYS[name] * DAY_MS if name in LENGTHS_DAYS else None
        await assert_shows(screen, expected_rows(project, (start_ms, None)))
        await expect(screen.button(name)).to_have_attribute("aria-pressed", "true")


async def test_preset_begins_at_a_minute(sign_in: Open) -> None:
    """So that all who look in the same minute ask the same question; the end is the present."""
    before_ms = present_ms()
    screen = await sign_in({"range": "7d"})
    start_ms, end_ms = asked_bounds(screen.asked_for()[0])  # before all others: figures come first
    assert end_ms is None
    assert start_ms is not None
    assert start_ms % MINUTE_MS == 0
    assert before_ms - 7 * DAY_MS - MINUTE_MS <= start_ms <= present_ms() - 7 * DAY_MS


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/St_Johns"])
async def test_custom_range(project: Project, sign_in: Open, zone: str) -> None:
    """From and To are of the zone's wall clock, and half-open: exact to the minute that a person types."""
    screen = await sign_in(timezone_id=zone)
    start_ms = (present_ms() - 45 * DAY_MS) // MINUTE_MS * MINUTE_MS
    end_ms = start_ms + 40 * DAY_MS
    for label, at_ms in (("From", start_ms), ("To", end_ms)):
        at = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone))
        await screen.page.get_by_label(label).fill(at.strftime("%Y-%m-%dT%H:%M"))
    await screen.button("Apply").click()
    await assert_shows(screen, expected_rows(project, (start_ms, end_ms)))
    assert f"from={start_ms}&to={end_ms}" in screen.page.url


async def test_user(project: Project, sign_in: Open) -> None:
    """A user of the combobox: figures are of that user alone, in the address and after Back as well."""
    screen = await sign_in({"range": "all"})
    everybody = expected_rows(project, (None, None))
    await assert_shows(screen, everybody)
    for name in ("Böb", "=1+1", "<b>bold</b>"):
        await screen.page.get_by_role("combobox", name="User").select_option(label=name)
        await screen.comes_to(screen.figures, dict(zip(STATUSES, everybody[name], strict=True)))
        assert parse_qs(urlsplit(screen.page.url).query)["user"] == [name]
    await screen.page.reload()
    await screen.comes_to(screen.figures, dict(zip(STATUSES, everybody["<b>bold</b>"], strict=True)))
    for _ in range(3):
        await screen.page.go_back()
    await assert_shows(screen, everybody)


async def test_bytes_are_exact(project: Project, sign_in: Open) -> None:
    """Beyond what a double holds: all digits are to be had, of the total and of a user."""
    screen = await sign_in({"range": "all"})
    size = project.oracle.answer(project.id)["total_input_size"]
    assert isinstance(size, int)
    assert size > 2**53
    exact = re.compile(f"{size:,}")
    await expect(screen.page.locator(".figure.input [title]")).to_have_attribute("title", exact)


async def test_history(project: Project, sign_in: Open) -> None:
    """Back and Forward go through what was seen, and a colleague who opens the address sees the same."""
    screen = await sign_in({"range": "24h"})
    rows = {days: expected_rows(project, (present_ms() - days * DAY_MS, None)) for days in LENGTHS_DAYS.values()}
    await assert_shows(screen, rows[1])
    await screen.button("7 days").click()
    await assert_shows(screen, rows[7])
    await screen.button("1 year").click()
    await assert_shows(screen, rows[365])
    await screen.page.go_back()
    await assert_shows(screen, rows[7])
    await screen.page.go_back()
    await assert_shows(screen, rows[1])
    await screen.page.go_forward()
    await assert_shows(screen, rows[7])
    await expect(screen.button("7 days")).to_have_attribute("aria-pressed", "true")


async def test_colleague(project: Project, sign_in: Open, tab: Open) -> None:
    """The address alone shows the same to another person, once signed in."""
    screen = await sign_in({"range": "24h"})
    await screen.button("30 days").click()
    await expect(screen.page).to_have_url(re.compile("range=30d"))
    other = await tab(screen.page.url)
    await other.page.get_by_role("textbox", name="Token").fill(project.administrator(sub="another"))
    await other.button("Sign in").click()
    await other.ready()
    await assert_shows(other, expected_rows(project, (present_ms() - 30 * DAY_MS, None)))


async def test_empty_project(empty_project: Project, sign_in: Open) -> None:
    """Zeros are said, not left out."""
    screen = await sign_in(of=empty_project)
    await assert_shows(screen, {"Total": [0] * 6})
