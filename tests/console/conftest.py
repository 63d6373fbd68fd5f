"""One site for all tests of the console, a project for each, and tabs that tell what goes wrong in them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.console.events import year_of_jobs
from tests.console.screen import Screen, address, opened
from tests.console.site import Project, Site, present_ms, started_site

Open = Callable[..., Awaitable[Screen]]
Say = Callable[[str], None]
_SAID = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(_SAID, []):
        terminalreporter.write_line(f"console: {line}")


@pytest.fixture
def say(pytestconfig: pytest.Config) -> Say:
    """Keeps a line for the end of the tests' output: what was measured, and nothing depends on."""
    return pytestconfig.stash.setdefault(_SAID, []).append


@pytest.fixture(scope="package")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A Redis and an API. Tests share them; one that makes them fail starts a site of its own (`own_site`)."""
    async with started_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
async def own_site(tmp_path: Path) -> AsyncIterator[Site]:
    """A Redis and an API of one test."""
    async with started_site(tmp_path) as site:
        yield site


@pytest.fixture
async def empty_project(site: Site) -> Project:
    """A project in which nothing has happened."""
    await site.apply()  # as of now
    return Project(site)


@pytest.fixture
async def project(site: Site) -> Project:
    """A project with a year of jobs."""
    project = Project(site)
    await project.apply(year_of_jobs(project.id, present_ms()))
    return project


@pytest.fixture
async def tab(browser: Browser) -> AsyncIterator[Open]:
    """Opens an address in a tab of its own: `await tab(url, viewport=PHONE, color_scheme="dark")`."""
    async with AsyncExitStack() as stack:

        async def open_tab(url: str, **context: Any) -> Screen:
            return await stack.enter_async_context(opened(browser, url, **context))

        yield open_tab


@pytest.fixture
async def sign_in(tab: Open, project: Project) -> Open:
    """Opens a project's console, signed in and with figures: `await sign_in({"range": "7d"}, viewport=PHONE)`.

    The first argument is what the address says. `of` is another project, `token` that of another caller than the
    administrator; all other arguments are the browser's.
    """

    async def open_signed_in(
        query: Mapping[str, str] | None = None, *, of: Project = project, token: str | None = None, **context: Any
    ) -> Screen:
        seen = {"lang": "en", **(query or {})}
        screen = await tab(address(of.site.origin, token or of.administrator(), **seen), **context)
        await screen.ready()
        return screen

    return open_signed_in
