"""A page that nobody looks at asks nothing."""

from playwright.async_api import Page

from tests.console.conftest import Open
from tests.console.events import year_of_jobs
from tests.console.site import Project, present_ms
from tests.console.test_figures import assert_shows, expected_rows

_SAY = """hidden => {
    Object.defineProperty(document, "visibilityState", { value: hidden ? "hidden" : "visible", configurable: true });
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


async def hide(page: Page, hidden: bool) -> None:
    """Tells the page that its tab is hidden, or is seen again."""
    await page.evaluate(_SAY, hidden)


async def test_hidden_tab_asks_nothing(project: Project, sign_in: Open) -> None:
    """For ten minutes of the page's clock, though much happens; what has happened is there on return."""
    screen = await sign_in({"range": "all"})
    await screen.page.clock.install()
    await hide(screen.page, True)
    await screen.page.clock.run_for(1_000)
    asked = len(screen.visited.asked)
    await project.apply(year_of_jobs(project.id, present_ms(), jobs=37))
    await screen.page.clock.run_for(600_000)
    assert screen.visited.asked[asked:] == []
    await hide(screen.page, False)
    await screen.page.clock.run_for(2_000)
    await assert_shows(screen, expected_rows(project, (None, None)))
