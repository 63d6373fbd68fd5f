"""A range that goes along with the present, while its page is live: nobody sees that its stream is another one."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import expect

from tests.console.conftest import Open
from tests.console.events import year_of_jobs
from tests.console.screen import Screen
from tests.console.site import Project, present_ms
from tests.console.test_figures import assert_shows, expected_rows

_STREAM, _SERIES = re.compile("/gene/statistics/stream"), re.compile("/gene/statistics/timeseries")
# Each state of the button from now on.
_WATCH = """() => {
    window.states = [];
    const button = document.querySelector("button.live");
    new MutationObserver(() => states.push(button.dataset.stream))
        .observe(button, { attributes: true, attributeFilter: ["data-stream"] });
}"""


def asked(screen: Screen, pattern: re.Pattern[str], bound: str) -> list[int]:
    """The bounds that were asked for at addresses of a kind, each once."""
    addresses = [parse_qs(urlsplit(url).query) for url in screen.asked_for(pattern)]
    return sorted({int(each[bound][0]) for each in addresses})


async def minutes_pass(screen: Screen, minutes: int) -> None:
    """Lets the page's clock be later; the trend, which ends with the present minute, is asked for after each."""
    for _ in range(minutes):
        before = asked(screen, _SERIES, "end")
        await screen.be_later(minutes=1)

        async def moved(before: list[int] = before) -> bool:
            return asked(screen, _SERIES, "end")[-1] > before[-1]

        await screen.comes_to(moved, True)


@pytest.mark.parametrize(("preset", "streams"), [("24h", 3), ("7d", 1)])
async def test_stream_moves_on_unseen(project: Project, sign_in: Open, preset: str, streams: int) -> None:
    """A day takes a new start each minute, a week keeps it for seven; the button never says anything but open."""
    screen = await sign_in({"range": preset})
    await screen.button("Live").click()
    live = screen.page.locator("button.live")
    await expect(live).to_have_attribute("data-stream", "open")
    await screen.page.evaluate(_WATCH)
    await minutes_pass(screen, 2)

    async def listened() -> int:
        return len(asked(screen, _STREAM, "start"))

    await screen.comes_to(listened, streams)
    await expect(live).to_have_attribute("data-stream", "open")
    assert await screen.page.evaluate("states") == []
    await project.apply(year_of_jobs(project.id, present_ms(), jobs=41))
    await assert_shows(screen, expected_rows(project, (asked(screen, _STREAM, "start")[-1], None)))
