"""What a reader must know to read the figures rightly: from when on jobs are kept, and what was lost."""

from playwright.async_api import expect

from service.store.layout.gaps import Gap
from tests.console.conftest import Open
from tests.console.events import DAY_MS, year_of_jobs
from tests.console.site import Project, Site, present_ms


async def test_horizon_and_gaps_are_said_in_words(own_site: Site, sign_in: Open) -> None:
    """Where the range begins before the horizon; lost events concern every range."""
    project = Project(own_site)
    await project.apply(year_of_jobs(project.id, present_ms()))
    await own_site.apply(horizon_ms=present_ms() - 60 * DAY_MS, gaps=[Gap(0, 3, 9, present_ms())])
    screen = await sign_in({"range": "1y"}, of=project)
    horizon, gaps = screen.page.get_by_text("are no longer kept"), screen.page.get_by_text("was lost before")
    await expect(horizon).to_be_visible()
    await expect(gaps).to_be_visible()
    await screen.button("30 days").click()
    await expect(horizon).to_be_hidden()
    await expect(gaps).to_be_visible()
