"""What a person sees when the API refuses, is away, is slow, or breaks off: never a wrong figure, never nothing."""

import re
import signal
import time
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Route, expect

from tests.console.conftest import Open
from tests.console.events import year_of_jobs
from tests.console.screen import Screen
from tests.console.site import Project, Site, present_ms
from tests.console.test_figures import STATUSES, expected_rows

API = re.compile(r"/v2\.0/")


def refusing(status: int, code: str, message: str, **headers: str) -> Callable[[Route], Awaitable[None]]:
    """Answers every question with this error, as the API words it."""

    async def answer(route: Route) -> None:
        await route.fulfill(
            status=status,
            headers={"Content-Type": "application/json; charset=utf-8", **headers},
            json={"error_code": code, "error_msg": message},
        )

    return answer


async def assert_last_figures_stay(screen: Screen, project: Project) -> None:
    """The figures are those of before, and it is said of when they are."""
    total = expected_rows(project, (None, None))["Total"]
    await screen.comes_to(screen.figures, dict(zip(STATUSES, total, strict=True)))
    await expect(screen.page.get_by_role("status", name="As of")).to_be_visible()


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [(403, "DLI.0016", "project"), (429, "DLI.1028", "limit"), (503, "DLI.0012", "store"), (500, "DLI.0999", "wrong")],
)
async def test_refused(project: Project, sign_in: Open, status: int, code: str, said: str) -> None:
    """An alert says what is wrong; the last good figures stay, with their age; Refresh brings the page back."""
    screen = await sign_in({"range": "all"})
    screen.expect_status(status)
    await screen.page.route(API, refusing(status, code, f"The {said} of it.", **{"Retry-After": "30"}))
    await screen.button("Refresh").click()
    await expect(screen.page.get_by_role("alert")).to_have_count(1)
    await expect(screen.page.get_by_role("alert")).to_be_visible()
    await assert_last_figures_stay(screen, project)
    await screen.page.unroute(API)
    await screen.button("Refresh").click()
    await expect(screen.page.get_by_role("alert")).to_have_count(0)
    await assert_last_figures_stay(screen, project)


async def test_limit_is_waited_for(project: Project, sign_in: Open) -> None:
    """After a 429 nothing is asked until Retry-After is over; then it goes on by itself."""
    screen = await sign_in({"range": "all"})
    screen.expect_status(429)
    await screen.page.clock.install()
    refuse = refusing(429, "DLI.1028", "The limit is used up.", **{"Retry-After": "20"})
    await screen.page.route(API, refuse)
    await screen.button("Refresh").click()
    await expect(screen.page.get_by_role("alert")).to_be_visible()
    await screen.page.unroute(API)
    asked = len(screen.asked_for())
    await screen.page.clock.run_for(15_000)
    assert len(screen.asked_for()) == asked
    await screen.page.clock.run_for(10_000)
    await expect(screen.page.get_by_role("alert")).to_have_count(0)
    await assert_last_figures_stay(screen, project)


async def test_token_expires_while_somebody_works(project: Project, sign_in: Open) -> None:
    """The page asks to sign in again; what was seen stays, and a new token goes on there."""
    screen = await sign_in({"range": "30d"}, token=project.administrator(exp=int(time.time()) + 4))
    screen.expect_status(401)
    await expect(screen.page.get_by_role("textbox", name="Token")).to_be_visible(timeout=15_000)
    await expect(screen.page.get_by_role("alert")).to_be_visible()
    assert "range=30d" in screen.page.url
    await screen.page.get_by_role("textbox", name="Token").fill(project.administrator())
    await screen.button("Sign in").click()
    await screen.ready()
    await expect(screen.page.get_by_role("alert")).to_have_count(0)
    await expect(screen.button("30 days")).to_have_attribute("aria-pressed", "true")


async def test_no_answer_at_all(project: Project, sign_in: Open) -> None:
    """Where the service cannot be reached the page says so, keeps its figures, and goes on by itself afterwards."""
    screen = await sign_in({"range": "all"})
    screen.expected.append("ERR_FAILED")
    await screen.page.route(API, lambda route: route.abort())
    await screen.button("Refresh").click()
    await expect(screen.page.get_by_role("alert")).to_be_visible()
    await assert_last_figures_stay(screen, project)


@pytest.mark.parametrize("body", ["<html>a proxy</html>", '{"users": 7}', ""], ids=["HTML", "other JSON", "nothing"])
async def test_answer_of_something_else(sign_in: Open, body: str) -> None:
    """What a proxy says instead of the API with status 200 is an error, and no figure."""
    screen = await sign_in({"range": "all"})

    async def answer(route: Route) -> None:
        await route.fulfill(status=200, content_type="text/html", body=body)

    await screen.page.route(API, answer)
    await screen.button("Refresh").click()
    await expect(screen.page.get_by_role("alert")).to_be_visible()


async def test_slow_answer_is_not_taken_for_a_later_question(project: Project, sign_in: Open) -> None:
    """A person who goes on before an answer has come sees the answer to the last question."""
    screen = await sign_in({"range": "24h"})
    held: list[Route] = []

    async def hold(route: Route) -> None:
        if is_slow:
            held.append(route)
        else:
            await route.continue_()

    is_slow = True
    await screen.page.route(API, hold)
    async with screen.page.expect_request(API):
        await screen.button("1 year").click()
    is_slow = False
    await screen.button("All").click()
    await assert_last_figures_stay(screen, project)
    for route in held:
        await route.continue_()
    await screen.page.unroute_all(behavior="wait")
    await screen.page.evaluate("new Promise(done => setTimeout(done))")
    await assert_last_figures_stay(screen, project)


async def test_redis_is_stopped(own_site: Site, sign_in: Open) -> None:
    """A real outage: the alert comes, and goes when Redis is back; the figures are there all along."""
    project = Project(own_site)
    await project.apply(year_of_jobs(project.id, present_ms()))
    screen = await sign_in({"range": "all"}, of=project)
    screen.expect_status(503)
    own_site.redis.process.send_signal(signal.SIGSTOP)
    await screen.button("Refresh").click()
    await expect(screen.page.get_by_role("alert")).to_be_visible(timeout=15_000)
    await assert_last_figures_stay(screen, project)
    own_site.redis.process.send_signal(signal.SIGCONT)
    await expect(screen.page.get_by_role("alert")).to_have_count(0, timeout=30_000)
    await assert_last_figures_stay(screen, project)
