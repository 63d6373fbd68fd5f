"""The library without an event loop: the same calls, from any thread."""

import asyncio
import sys
import threading
from asyncio.subprocess import PIPE
from concurrent.futures import ThreadPoolExecutor

import pytest

from gene_statistics import (
    AlreadyOpenError,
    ClientClosedError,
    EventPublisher,
    InvalidAnswerError,
    PublisherClosedError,
    StatisticsClient,
)
from gene_statistics.sync import BlockingClient, BlockingPublisher
from tests.api.support import PROJECT, TOTALS
from tests.conftest import MakeTopic
from tests.end_to_end.publisher import read_topic
from tests.library.stub import OPEN, STATISTICS, Stub, answer, event, stream
from tests.library.test_publisher import event_of


async def test_publishing_from_threads(kafka_bootstrap: str, make_topic: MakeTopic) -> None:
    """All of it lies in the topic once the block has ended."""
    topic = await make_topic()

    def publish() -> None:
        events = [event_of(f"job-{number}") for number in range(20)]
        with BlockingPublisher(EventPublisher(kafka_bootstrap, topic=topic)) as publishing:
            with ThreadPoolExecutor(4) as threads:
                places = list(threads.map(publishing.publish, events))
            places += publishing.publish_many(iter(events))
            places.append(publishing.delete("p", "job-1"))
        assert len(set(places)) == 41
        with pytest.raises(PublisherClosedError, match="not open"):
            publishing.publish(events[0])

    await asyncio.to_thread(publish)
    assert len(await read_topic(kafka_bootstrap, topic, 4, 41)) == 41


async def test_asking(stub: Stub) -> None:
    """Answers, and errors as they are."""
    series = answer({"interval": "1d", "time_zone": "UTC", "points": []})
    changes = stream(*(event("statistics", {"as_of": 1, "statistics": STATISTICS}, 1) for _ in range(3)))
    stub.script = [answer(), series, changes, answer({})]

    def ask() -> None:
        with BlockingClient(StatisticsClient(stub.url, "t")) as client:
            assert client.statistics(PROJECT, start=1).total_finished_num == TOTALS["total_finished_num"]
            assert client.time_series(PROJECT, start=1, end=2).points == []
            answers = client.stream(PROJECT)
            assert [next(answers).as_of_ms for _ in range(2)] == [1, 1]
            with pytest.raises(InvalidAnswerError):
                client.statistics(PROJECT)
        answers.close()

    await asyncio.to_thread(ask)


async def test_what_cannot_be_opened_leaves_no_thread(kafka_bootstrap: str) -> None:
    """The error is that of opening it."""

    def fail() -> None:
        with pytest.raises(Exception, match="idempotence"):
            BlockingPublisher(EventPublisher(kafka_bootstrap, idempotence=True)).__enter__()

    await asyncio.to_thread(fail)
    assert [thread.name for thread in threading.enumerate() if thread.name == "gene_statistics"] == []


IN_A_LOOP = """
import asyncio, sys, threading
from gene_statistics import EventPublisher, StatisticsClient
from gene_statistics.sync import BlockingClient, BlockingPublisher

async def work(bootstrap, topic, url, project_id):
    with BlockingPublisher(EventPublisher(bootstrap, topic=topic)) as publisher:
        publisher.delete("p", "job")
    with BlockingClient(StatisticsClient(url, "t")) as client:
        print(client.statistics(project_id).total_finished_num)

asyncio.run(work(*sys.argv[1:]))
print(threading.active_count())
"""


async def test_in_a_thread_that_runs_a_loop(kafka_bootstrap: str, make_topic: MakeTopic, stub: Stub) -> None:
    """As notebooks do: calls work, and leaving too; no thread is left. It has a process of its own, as it blocks."""
    stub.script = [answer()]
    arguments = ["-c", IN_A_LOOP, kafka_bootstrap, await make_topic(), stub.url, PROJECT]
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=PIPE, stderr=PIPE)
    said, errors = await process.communicate()
    assert (process.returncode, said.split()) == (0, [str(TOTALS["total_finished_num"]).encode(), b"1"]), errors


async def test_opening_twice(kafka_bootstrap: str, make_topic: MakeTopic) -> None:
    """It is refused, and harms nothing; after it was closed it can be opened again."""
    topic = await make_topic()

    def publish() -> None:
        publishing = BlockingPublisher(EventPublisher(kafka_bootstrap, topic=topic))
        for _ in range(2):
            with publishing:
                with pytest.raises(AlreadyOpenError), publishing:
                    pytest.fail("it was opened twice")
                publishing.publish(event_of("job"))

    await asyncio.to_thread(publish)
    async with EventPublisher(kafka_bootstrap, topic=topic) as once:
        with pytest.raises(AlreadyOpenError):
            await once.start()
        await once.publish(event_of("job"))


async def test_a_client_that_is_closed_while_it_is_asked(stub: Stub) -> None:
    """Each thread that waits gets the library's error, and so does one that comes later."""
    stub.script = [stream(event("statistics", {"as_of": 1, "statistics": STATISTICS}, 1)) + OPEN, OPEN]
    loop, asked = asyncio.get_running_loop(), asyncio.Event()

    def ask(client: BlockingClient) -> None:
        loop.call_soon_threadsafe(asked.set)
        client.statistics(PROJECT)

    client = BlockingClient(StatisticsClient(stub.url, "t"))
    await asyncio.to_thread(client.__enter__)
    try:
        answers = client.stream(PROJECT)
        await asyncio.to_thread(next, answers)
        waiting = [
            asyncio.create_task(asyncio.to_thread(next, answers)),
            asyncio.create_task(asyncio.to_thread(ask, client)),
        ]
        await asked.wait()
    finally:
        await asyncio.to_thread(client.__exit__, None, None, None)
    results = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 10)
    assert [type(result) for result in results] == [ClientClosedError] * 2
    with pytest.raises(ClientClosedError, match="not open"):
        client.statistics(PROJECT)
