"""A change is on the page within a second of its event: through a broker, a consumer, Redis, the API and a stream."""

import asyncio
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest

from gene_statistics import EventPublisher, JobEvent
from tests.conftest import MakeTopic
from tests.console.conftest import Open, Say
from tests.console.screen import Screen, address
from tests.console.site import present_ms, token_for
from tests.end_to_end.system import System
from tests.servers import Processes, settings_over

PROJECT = "live"
_EVENTS = 5
_PATIENCE_SECONDS = 5.0


@pytest.fixture
async def system(
    kafka_bootstrap: str, redis_flushed: str, make_topic: MakeTopic, processes: Processes
) -> AsyncIterator[tuple[System, str]]:
    """A consumer and an API over an empty topic, and the topic's name."""
    topic = await make_topic()
    async with aiohttp.ClientSession() as http:
        system = System(processes, settings_over(kafka_bootstrap, topic, redis_flushed), http)
        await asyncio.gather(system.start_consumer(), system.start_service())
        yield system, topic


async def running(screen: Screen) -> int:
    """How many jobs the page says are running."""
    return (await screen.figures()).get("running", -1)


async def test_change_is_seen(system: tuple[System, str], kafka_bootstrap: str, tab: Open, say: Say) -> None:
    """One event after the other, each without a touch of the page."""
    served, topic = system
    screen = await tab(address(f"http://127.0.0.1:{served.api_port}", token_for(PROJECT), lang="en"))
    await screen.ready()
    if await screen.button("Live").get_attribute("aria-pressed") == "false":
        await screen.button("Live").click()
    delays_ms = []
    async with EventPublisher(kafka_bootstrap, topic=topic, idempotence=False) as publisher:
        for number_of_job in range(1, _EVENTS + 1):
            now = present_ms()
            event = JobEvent(
                project_id=PROJECT,
                job_id=f"job-{number_of_job}",
                user_id="user",
                user_name="ann",
                status="RUNNING",
                event_time=now,
                start_time=now,
                input_size=2**40,
            )
            await publisher.publish(event)
            published = time.perf_counter()
            await screen.comes_to(lambda: running(screen), number_of_job, _PATIENCE_SECONDS)
            delays_ms.append((time.perf_counter() - published) * 1000)
    said = ", ".join(f"{delay:.0f}" for delay in delays_ms)
    say(f"from an event's acknowledgement to the page, ms: {said}")
