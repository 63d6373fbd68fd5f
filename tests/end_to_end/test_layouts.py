"""From the layout of the release before to this one's and back, with both releases at work, while events come in."""

import asyncio
import io
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

from deploy.local.waiting import eventually
from service.store.layout.keys import STRIPES
from service.store.layout.totals import Totals
from tests.commands.support import run_process
from tests.conftest import require_part
from tests.end_to_end.checks import assert_answers
from tests.end_to_end.history import make_history, waves
from tests.end_to_end.publisher import Publisher
from tests.end_to_end.system import System
from tests.end_to_end.test_end_to_end import PAUSE_SECONDS, stop
from tests.end_to_end.traffic import Record
from tests.servers import PROJECT, Processes
from tests.store.totals import expected_totals, sum_of_totals

LAST_OF_LAYOUT_3 = "77aaa7c"
STOPPED_BY_LAYOUT = 3


@pytest.fixture
def release_before(tmp_path: Path) -> Path:
    """A folder with the last software that knows layout 3 alone, from this repository's history."""
    command = ["git", "archive", LAST_OF_LAYOUT_3, "service", "consumers"]
    archived = subprocess.run(command, cwd=PROJECT, capture_output=True, check=False)  # noqa: S603 - our own words
    require_part(not archived.returncode, f"commit {LAST_OF_LAYOUT_3} in the history of this repository")
    folder = tmp_path / "before"
    with tarfile.open(fileobj=io.BytesIO(archived.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
async def before(
    release_before: Path, system: System, tmp_path: Path, environment: dict[str, str]
) -> AsyncIterator[System]:
    """The release before, over the same topic and Redis."""
    logs = tmp_path / "logs"
    logs.mkdir()
    processes = Processes(logs, ("env", f"--chdir={release_before}", sys.executable))
    async with aiohttp.ClientSession() as http:
        yield System(processes, environment, http)
    processes.stop_all()


def pieces_of(records: list[Record]) -> list[list[Record]]:
    """Two large pieces, some hundred small ones, and a large one."""
    first, second, third, last = waves(records, 4)
    return [first, second, *waves(third, 400), last]


async def exported_jobs(system: System) -> int:
    """The sum of the series of `stats_jobs` that the API has; 0 if it has none."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{system.api_port}/metrics") as response,
    ):
        families = text_string_to_metric_families(await response.text())
    return int(sum(sample.value for each in families for sample in each.samples if sample.name == "stats_jobs"))


async def test_there_and_back_under_load(
    before: System, system: System, publisher: Publisher, rnd: Random, environment: dict[str, str]
) -> None:
    """Old alone, both, the new one, upgraded, taken back, the old one again: each answer equals a recount."""
    first, second, *many, last = pieces_of(make_history(rnd, jobs=4_000, bad_records=20))
    pieces = iter(many)

    async def command(name: str) -> None:
        at_ms = 0
        running = asyncio.create_task(run_process(environment, name, "--json"))
        while not running.done():
            at_ms = await publisher.publish(next(pieces, []))
            await asyncio.wait([running], timeout=2 * PAUSE_SECONDS)
        result = running.result()
        assert (result.code, result.document["changed_stripes"], result.document["problems"]) == (0, STRIPES, [])
        await check(system, at_ms)

    async def check(asked: System, at_ms: int) -> None:
        await assert_answers(asked, publisher.published, at_ms, rnd, count=60)

    def totals() -> Totals:
        return expected_totals(each.event for each in publisher.published if each.event is not None)

    old, _ = await asyncio.gather(before.start_consumer(), before.start_service())
    await check(before, await publisher.publish(first))
    new, _ = await asyncio.gather(system.start_consumer(), system.start_service())
    at_ms = await publisher.publish(second)
    await check(before, at_ms)
    await check(system, at_ms)
    assert await exported_jobs(system) == 0
    assert await stop(old) == 0
    await command("upgrade")
    async with Redis.from_url(environment["STATS_REDIS_URL"]) as client:
        assert await sum_of_totals(client) == totals()

    async def are_jobs_known() -> bool:
        return await exported_jobs(system) == sum(totals().jobs)

    await eventually(are_jobs_known, "the jobs of all projects")
    late = before.launch_consumer()
    assert await asyncio.to_thread(late.child.process.wait, 60) == STOPPED_BY_LAYOUT
    await command("downgrade")
    old = await before.start_consumer()
    assert await stop(new) == 0
    await before.start_service()
    at_ms = await publisher.publish(last)
    await check(before, at_ms)
    await check(system, at_ms)
    assert old.child.process.poll() is None
