"""The table of users: its figures, what it finds, how it sorts, how one walks through it, and 5,000 users."""

import csv
import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from playwright.async_api import Locator, expect

from tests.console.conftest import Open
from tests.console.events import NAMES, many_users
from tests.console.screen import PHONE, Screen
from tests.console.site import Project, Site, present_ms

COLUMNS = ["User", "Launching", "Running", "Canceling", "Failed", "Finished", "Cancelled", "Input"]
FIGURES = ("launching_num", "running_num", "canceling_num", "failed_num", "finished_num", "cancelled_num")
ALL_TIME = {"range": "all"}


def body_rows(screen: Screen) -> Locator:
    """The rows of users, as far as they are in the page."""
    return screen.users.locator("tbody tr[data-index]")


async def names(screen: Screen) -> list[str]:
    """The users in the order in which they are read."""
    return [text.strip() for text in await body_rows(screen).get_by_role("rowheader").all_inner_texts()]


async def cells(row: Locator) -> list[str]:
    """The figures of a row: numbers as they are read, bytes as they are had by pointing at them."""
    texts = [text.strip().replace(",", "") for text in await row.get_by_role("cell").all_inner_texts()]
    exact = await row.get_by_role("cell").last.get_by_role("button").get_attribute("title")
    assert exact is not None
    return [*texts[:-1], exact.replace(",", "").removesuffix(" B")]


def counted(statistics: Any, prefix: str = "") -> list[str]:
    """The same of an answer of the service."""
    return [str(statistics[prefix + name]) for name in (*FIGURES, "input_size")]


def users_of(project: Project) -> list[dict[str, Any]]:
    """What a recount says of each user, of all time."""
    users: Any = project.oracle.answer(project.id)["users"]
    return list(users)


async def sort_by(screen: Screen, column: str) -> None:
    """Presses the head of a column."""
    await screen.users.get_by_role("columnheader", name=column).get_by_role("button").click()


def search_box(screen: Screen) -> Locator:
    """Where users are searched for."""
    return screen.page.get_by_role("searchbox", name="Search users")


async def test_figures_are_those_of_a_recount(sign_in: Open, project: Project) -> None:
    """Each user has a row and each column its figures, to the byte; the total is that of the answer."""
    screen = await sign_in(ALL_TIME)
    assert [text.strip() for text in await screen.users.get_by_role("columnheader").all_inner_texts()] == COLUMNS
    wanted = project.oracle.answer(project.id)
    by_name = {user["user_name"]: counted(user) for user in users_of(project)}
    assert len(by_name) == len(NAMES)
    rows = await body_rows(screen).all()
    assert {(await names(screen))[at]: await cells(row) for at, row in enumerate(rows)} == by_name
    total = screen.users.get_by_role("row", name=re.compile("^Total"))
    assert await cells(total) == counted(wanted, "total_")


async def test_columns_sort_both_ways(sign_in: Open, project: Project) -> None:
    """Names as a person has them in a list, numbers and bytes from the greatest; who is alike stays sorted by name."""
    screen = await sign_in(ALL_TIME)
    by_name = ["<b>bold</b>", "=1+1", "ann", "Böb", 'o\'neil, "x"', "w" * 128, "zoë", "测试用户"]
    place = {name: at for at, name in enumerate(by_name)}
    users = users_of(project)
    assert await names(screen) == by_name
    await sort_by(screen, "User")
    assert await names(screen) == by_name[::-1]
    for column, figure in (("Failed", "failed_num"), ("Input", "input_size")):
        head = screen.users.get_by_role("columnheader", name=column)
        await sort_by(screen, column)
        await expect(head).to_have_attribute("aria-sort", "descending")
        wanted = [
            user["user_name"] for user in sorted(users, key=lambda user: (-user[figure], place[user["user_name"]]))
        ]
        assert await names(screen) == wanted
        await sort_by(screen, column)
        await expect(head).to_have_attribute("aria-sort", "ascending")
        wanted = [
            user["user_name"] for user in sorted(users, key=lambda user: (user[figure], place[user["user_name"]]))
        ]
        assert await names(screen) == wanted
    await expect(screen.users.locator("[aria-sort]")).to_have_count(1)


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("ANN", ["ann"]),
        ("测试", ["测试用户"]),
        ("bo\u0308", ["Böb"]),  # as some keyboards write it
        ("o", ["<b>bold</b>", 'o\'neil, "x"', "zoë"]),
        ("<B>", ["<b>bold</b>"]),
        ("nobody", []),
    ],
)
async def test_search_finds_users(sign_in: Open, project: Project, search: str, found: list[str]) -> None:
    """Whatever their case and script. The total is of those who are found, and says of how many."""
    screen = await sign_in(ALL_TIME)
    await search_box(screen).fill(search)
    await expect(body_rows(screen)).to_have_count(len(found))
    assert await names(screen) == found
    total = screen.users.get_by_role("row", name=re.compile(f"^Total {len(found)} of {len(NAMES)} users"))
    rows = [counted(user) for user in users_of(project) if user["user_name"] in found]
    assert await cells(total) == [str(sum(map(int, figures))) for figures in zip(*rows, strict=True)] or not found
    await search_box(screen).fill("")
    await expect(body_rows(screen)).to_have_count(len(NAMES))
    assert await screen.users.get_by_role("row", name=re.compile("^Total [0-9]+ of")).count() == 0


async def test_click_on_a_user_shows_that_user(sign_in: Open) -> None:
    """Anywhere in the row: the table has that user alone, and its total. Once more, everybody; Enter does it too."""
    screen = await sign_in(ALL_TIME)
    row = screen.users.get_by_role("row", name="ann")
    await row.click()
    await screen.page.wait_for_url(re.compile("user=ann"))
    link = row.get_by_role("link", name="ann")
    await expect(link).to_have_attribute("aria-current", "true")
    await expect(body_rows(screen)).to_have_count(1)
    total = screen.users.get_by_role("row", name=f"Total 1 of {len(NAMES)} users")
    assert await cells(total) == await cells(row)
    await row.click()
    await expect(body_rows(screen)).to_have_count(len(NAMES))
    await screen.page.go_back()
    await expect(link).to_have_attribute("aria-current", "true")
    await search_box(screen).fill("测试")
    other = screen.users.get_by_role("link", name="测试用户")
    await other.focus()
    await screen.page.keyboard.press("Enter")
    await expect(other).to_have_attribute("aria-current", "true")
    await expect(other).to_be_focused()
    await search_box(screen).fill("")
    await expect(body_rows(screen)).to_have_count(1)


async def test_a_state_sorts_by_its_column(sign_in: Open, project: Project) -> None:
    """Who chooses a state asks who has such jobs. A person may still sort otherwise."""
    screen = await sign_in({**ALL_TIME, "state": "failed"})
    most = max(users_of(project), key=lambda user: user["failed_num"])
    assert (await names(screen))[0] == most["user_name"]
    await expect(screen.users.get_by_role("columnheader", name="Failed")).to_have_class("is-chosen")
    await sort_by(screen, "User")
    assert (await names(screen))[0] == "<b>bold</b>"


async def test_keyboard_walks_through_the_rows(sign_in: Open) -> None:
    """Tab stops once at all the rows; arrows go on from there, to the bytes as well."""
    screen = await sign_in(ALL_TIME)
    assert await screen.users.locator("tbody [tabindex='0']").count() == 1
    press = screen.page.keyboard.press
    await screen.page.get_by_role("region", name="Rows").focus()
    for _ in COLUMNS:
        await press("Tab")
    await press("Tab")
    for key, name in (("ArrowDown", "=1+1"), ("End", "测试用户"), ("ArrowUp", "zoë"), ("Home", "<b>bold</b>")):
        await press(key)
        await expect(screen.users.get_by_role("link", name=name)).to_be_focused()
    await press("ArrowRight")
    await expect(body_rows(screen).first.get_by_role("button")).to_be_focused()
    await press("ArrowLeft")
    await expect(screen.users.get_by_role("link", name="<b>bold</b>")).to_be_focused()
    await sort_by(screen, "User")
    await screen.users.get_by_role("link", name="ann").focus()
    await screen.page.evaluate("document.querySelector('[aria-sort] button').click()")
    await expect(screen.users.get_by_role("link", name="ann")).to_be_focused()


async def test_bytes_are_copied_to_the_last_digit(sign_in: Open, project: Project) -> None:
    """By a click, which does not choose the user; and where the browser refuses it, the digits are there, selected."""
    screen = await sign_in(ALL_TIME)
    await screen.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    exact = screen.users.get_by_role("row", name="ann").get_by_role("button")
    size = str(next(user["input_size"] for user in users_of(project) if user["user_name"] == "ann"))
    await exact.click()
    await expect(screen.page.locator("#announcements")).to_have_text(f"{size} copied")
    assert await screen.page.evaluate("navigator.clipboard.readText()") == size
    assert "user=" not in screen.page.url
    refuse = "navigator.clipboard.writeText = () => Promise.reject(new Error()); document.execCommand = () => false"
    await screen.page.evaluate(f"() => {{ {refuse} }}")
    await exact.click()
    field = screen.page.get_by_role("textbox", name="Exact value")
    await expect(field).to_be_focused()
    assert await screen.page.evaluate("getSelection().toString()") == size
    await screen.page.keyboard.press("Escape")
    await expect(field).to_have_count(0)
    await expect(exact).to_be_focused()


async def test_what_changes_is_marked(sign_in: Open, project: Project) -> None:
    """The figures that are others than before, and no others; not for those who want nothing to move."""
    screen = await sign_in(ALL_TIME)
    marked = screen.users.locator("[class*=changed]")
    assert await marked.count() == 0
    event = many_users(project.id, present_ms(), users=1)[0]
    await project.apply([replace(event, user_id="newcomer")])
    await screen.button("Refresh").click()
    await expect(screen.users.get_by_role("link", name="user 00000")).to_be_visible()
    assert set(await marked.locator("xpath=ancestor::tr").locator("bdi").all_inner_texts()) == {"user 00000"}
    await screen.page.emulate_media(reduced_motion="reduce")
    assert await marked.first.evaluate("each => getComputedStyle(each).animationName") == "none"


async def test_users_of_one_name_are_marked_apart(sign_in: Open, empty_project: Project) -> None:
    """Three users have the name; a job of one of them is news of one row."""
    jobs = [replace(event, user_name="twin") for event in many_users(empty_project.id, present_ms(), users=3)]
    await empty_project.apply(jobs[:5])
    screen = await sign_in(ALL_TIME, of=empty_project)
    twins = screen.users.get_by_role("row", name="twin")
    await expect(twins).to_have_count(3)
    await empty_project.apply(jobs[5:])
    await screen.button("Refresh").click()
    marked = screen.users.locator("tr:has([class*=changed])")
    await expect(marked).to_have_count(1)
    await expect(twins).to_have_count(3)


async def test_five_thousand_users(sign_in: Open, site: Site) -> None:
    """Few rows are in the page, and all of them can be reached: by keys, by scrolling, by the search, by sorting."""
    project = Project(site)
    await project.apply(many_users(project.id, present_ms()))
    screen = await sign_in(ALL_TIME, of=project)
    await expect(screen.users).to_have_attribute("aria-rowcount", "5002")
    total = screen.users.get_by_role("row", name=re.compile("^Total"))
    assert await cells(total) == counted(project.oracle.answer(project.id), "total_")
    first = screen.users.get_by_role("link", name="user 00000")
    await first.focus()
    await screen.page.keyboard.press("End")
    last = screen.users.get_by_role("link", name="user 04999")
    await expect(last).to_be_focused()
    await expect(last).to_be_in_viewport()
    await expect(screen.users.get_by_role("row", name="user 04999")).to_have_attribute("aria-rowindex", "5001")
    await screen.users.locator("xpath=..").evaluate("each => { each.scrollTop = each.scrollHeight / 2 }")
    await expect(screen.users.get_by_role("link", name="user 02500")).to_be_in_viewport()
    await expect(last).to_be_focused()  # which is out of sight
    assert await body_rows(screen).count() < 100
    await sort_by(screen, "User")
    await expect(last).to_have_attribute("tabindex", "0")
    await search_box(screen).fill("USER 0123")
    await expect(body_rows(screen)).to_have_count(10)
    assert (await names(screen))[0] == "user 01239"


async def test_who_sees_itself_alone_has_no_table(sign_in: Open, project: Project, tab: Open) -> None:
    """And the file of its own figures."""
    screen = await sign_in(ALL_TIME)
    await expect(screen.button("Download CSV")).to_have_count(1)
    own = await tab(f"{project.site.origin}/console?lang=en#token={project.sub_user('user-0', 'ann')}")
    await expect(own.button("Download CSV")).to_have_count(1)
    await expect(own.users).to_have_count(0)
    await expect(search_box(own)).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_phone_scrolls_the_table_alone(sign_in: Open, scheme: str) -> None:
    """The page is as wide as the phone; names stay in sight; axe finds nothing in the table."""
    screen = await sign_in({**ALL_TIME, "user": "ann", "state": "failed"}, viewport=PHONE, color_scheme=scheme)
    assert await screen.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    await screen.charts()  # which come above the table, and move it
    await expect(screen.page.locator("figcaption", has_text="intervals of")).to_be_visible()
    name = screen.users.get_by_role("link", name="ann")
    await name.scroll_into_view_if_needed()
    await screen.users.locator("xpath=..").evaluate("each => { each.scrollLeft = 400 }")
    await expect(name).to_be_in_viewport(ratio=1)
    own = [(rule, html) for rule, nodes in await screen.visited.findings() for html in nodes if "users-" in html]
    assert own == []


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a file, by the names of their columns."""
    return list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))


@pytest.mark.parametrize("user", [None, "=1+1", 'o\'neil, "x"', "测试用户"])
async def test_file_has_what_is_seen(sign_in: Open, project: Project, user: str | None) -> None:
    """The service's own rows: of everybody, or of the user who is chosen; the file's name says of whom and when."""
    screen = await sign_in({**ALL_TIME, **({} if user is None else {"user": user})})
    async with screen.page.expect_download() as started:
        await screen.button("Download CSV").click()
    download = await started.value
    rows = rows_of(await download.path())
    wanted = [row for row in users_of(project) if user in {None, row["user_name"]}]
    assert [{name: value for name, value in row.items() if name != "user_name"} for row in rows] == [
        {name: str(value) for name, value in row.items() if name != "user_name"} for row in wanted
    ]
    assert [row["user_name"].removeprefix("'") for row in rows] == [row["user_name"] for row in wanted]
    assert download.suggested_filename.startswith(f"statistics-{project.id}-all")
    assert download.suggested_filename.endswith(".csv")
