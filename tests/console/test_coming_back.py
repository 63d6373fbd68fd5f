"""A page that is opened while the service is away: it keeps its token, says what is so, and signs in by itself."""

from playwright.async_api import Route, expect

from tests.console.conftest import Open
from tests.console.screen import address
from tests.console.site import Project

CALLER = "**/console/caller"


async def test_service_is_away_as_the_page_opens(project: Project, tab: Open) -> None:
    """Nobody has to paste the token again: what was to be seen appears once the service answers."""
    screen = await tab(address(project.site.origin, lang="en"))
    screen.expect_status(503)

    async def say_away(route: Route) -> None:
        await route.fulfill(status=503, headers={"Retry-After": "1"}, body="<h1>what a proxy says</h1>")

    await screen.page.route(CALLER, say_away)
    await screen.page.goto(address(project.site.origin, project.administrator(), lang="en", range="30d"))
    await expect(screen.page.get_by_role("alert").filter(has_text="The service cannot answer now")).to_be_visible()
    await expect(screen.page.get_by_role("textbox", name="Token")).to_have_count(0)
    await screen.page.unroute(CALLER, say_away)
    await screen.ready()
    await expect(screen.page.get_by_role("alert").filter(has_text="The service")).to_have_count(0)
    assert "range=30d" in screen.page.url
