"""The log of the API while something is away: few lines, whatever the number of requests, and one for the end."""

import asyncio
import logging

import pytest

from service.store.errors import StoreUnavailableError
from tests.api.support import PATH, Api, FakeStore, as_caller, served

AWAY = "reading a project: ConnectionError: Error 111 connecting to localhost:6379"


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines of the log from INFO on, those of our own code."""
    ours = [each for each in caplog.records if each.levelno >= logging.INFO and each.name.startswith("service")]
    return [each.getMessage() for each in ours]


async def _ask(api: Api, path: str, status: int) -> None:
    async with api.client.get(path, headers=as_caller()) as response:
        assert response.status == status


@pytest.mark.parametrize(
    ("path", "begins", "ends"),
    [
        (PATH, f"request failed: {AWAY}", "requests are answered again"),
        ("/readyz", f"not ready: redis: {AWAY}", "no longer missing: redis"),
    ],
    ids=["questions", "probes"],
)
async def test_a_store_that_is_away_is_a_line_a_minute(
    api: Api, caplog: pytest.LogCaptureFixture, path: str, begins: str, ends: str
) -> None:
    """Three hundred requests in three minutes; afterwards it is told once that it is over, and for how long it was."""
    caplog.set_level(logging.INFO)
    api.store.error = StoreUnavailableError(AWAY)
    for _ in range(300):
        await _ask(api, path, 503)
        api.clock.now_seconds += 0.6
    api.store.error = None
    api.clock.now_seconds += 5
    for _ in range(10):
        await _ask(api, path, 200)
    assert told(caplog) == [begins] * 3 + [ends]
    ours = [vars(each) for each in caplog.records if each.name.startswith("service")]
    assert sum(each.get("untold", 0) for each in ours) == 297
    assert 180 <= ours[-1]["lasted_seconds"] <= 186


async def test_an_outage_of_some_projects_does_not_begin_and_end_at_every_request(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    """Where every other question fails, as with one part of a cluster away, it is one outage."""
    caplog.set_level(logging.INFO)
    for _ in range(50):
        for error, status in ((StoreUnavailableError(AWAY), 503), (None, 200)):
            api.store.error = error
            await _ask(api, PATH, status)
            api.clock.now_seconds += 0.1
    assert told(caplog) == [f"request failed: {AWAY}"]


async def test_a_process_that_is_ready_does_not_say_that_it_is_not(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """With one shard of a cluster away it is ready, and does not know how fresh all answers are: that is no line."""
    caplog.set_level(logging.INFO)
    api.store.freshness_error = StoreUnavailableError("reading as-of: TimeoutError: no answer, while others answer")
    for _ in range(10):
        await _ask(api, "/readyz", 200)
        api.clock.now_seconds += 10
    assert told(caplog) == []


async def test_faults_are_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever has found a request that fails by a fault of ours does not fill the log with tracebacks."""
    caplog.set_level(logging.INFO)
    async with served(FakeStore(error=RuntimeError("a fault"))) as api:
        await asyncio.gather(*(_ask(api, PATH, 500) for _ in range(100)))
    assert told(caplog) == ["request failed: a fault"]
