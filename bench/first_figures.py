"""How long a person waits for the console's first figures, after signing in and after a link, in a real browser."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

from playwright.sync_api import Browser, BrowserContext, sync_playwright

from bench.asking import administrator_token
from bench.jobs import PROJECT, make_jobs
from bench.loading import filled_redis
from bench.run import Row, Run
from bench.servers import environment_for, running_api
from bench.waiting import WAITED, Watch
from deploy.local.servers import MissingServerError

_GOAL_MS = 300.0
_VISITS = 10
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_FIGURE = ".figure .value"
_DIGIT = re.compile(r"\d")
# Run in the page before anything of its own: notes when the first figure is painted.
_NOTE_FIGURES = """new MutationObserver((_, observer) => {
    if (!/\\d/.test(document.querySelector(".figure .value")?.textContent ?? "")) return;
    observer.disconnect();
    requestAnimationFrame(() => { window.firstFiguresMs = performance.now(); });
}).observe(document, { subtree: true, childList: true, characterData: true });"""
_SUBMIT = """token => {
    const input = document.getElementById("token");
    input.value = token;
    window.submittedMs = performance.now();
    input.form.requestSubmit();
}"""


def measure(run: Run) -> list[Row]:
    """Of 20 and of 5,000 users: by the form, by a link, and by a link when the browser has the files already."""
    rows: list[Row] = []
    for users in (20, run.count(5_000, 50)):
        rows += _of(run, users)
    run.keep("console: first figures after signing in, ms", float(rows[0]["median_ms"]), _GOAL_MS)
    return rows


@contextmanager
def _browser() -> Iterator[Browser]:
    program = next((path for path in map(shutil.which, _PROGRAMS) if path), None)
    if program is None:
        raise MissingServerError(f"no browser in the PATH: {', '.join(_PROGRAMS)}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def _of(run: Run, users: int) -> list[Row]:
    jobs = make_jobs(run.count(300_000, 2_000), users)
    run.say(f"console: {len(jobs):,} jobs of {users:,} users")
    visits = run.count(_VISITS, 3)
    with filled_redis(run.folder, jobs) as redis:
        environment = environment_for(redis_port=redis.port)
        with running_api(run.folder, environment), _browser() as browser:
            url = f"http://127.0.0.1:{environment['STATS_HTTP_PORT']}/console?range=all"
            ways = {
                "form": lambda: [_by_form(browser, url) for _ in range(visits)],
                "link, first visit": lambda: [_by_link(browser.new_context(), url) for _ in range(visits)],
                "link, files kept": lambda: _again(browser, url, visits),
            }
            return [_row(f"{way}, {users:,} users", visit) for way, visit in ways.items()]


def _by_form(browser: Browser, url: str) -> float:
    """Milliseconds from the press of the button to the first figures."""
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(_NOTE_FIGURES)
    page.goto(url)
    page.locator("#token").wait_for()
    page.evaluate(_SUBMIT, administrator_token(PROJECT))
    page.locator(_FIGURE, has_text=_DIGIT).first.wait_for()
    spent: float = page.evaluate("window.firstFiguresMs - window.submittedMs")
    context.close()
    return spent


def _by_link(context: BrowserContext, url: str, *, stay: bool = False) -> float:
    """Milliseconds from the opening of a link that signs in to the first figures."""
    page = context.new_page()
    page.add_init_script(_NOTE_FIGURES)
    page.goto(f"{url}#token={administrator_token(PROJECT)}")
    page.locator(_FIGURE, has_text=_DIGIT).first.wait_for()
    spent: float = page.evaluate("window.firstFiguresMs")
    (page if stay else context).close()
    return spent


def _again(browser: Browser, url: str, visits: int) -> list[float]:
    context = browser.new_context()
    times = [_by_link(context, url, stay=True) for _ in range(visits + 1)]
    context.close()
    return times[1:]


def _row(name: str, visit: Callable[[], list[float]]) -> Row:
    """No wait is too long: a browser has more threads than the machine has cores, and they wait for each other."""
    watch = Watch()
    times_ms = visit()
    waited = watch.percent()
    return {"measured": name, "median_ms": round(median(times_ms)), "max_ms": round(max(times_ms)), WAITED: waited}
