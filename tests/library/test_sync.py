"""The library without an event loop: the same calls, from any thread."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gene_statistics import EventPublisher, InvalidAnswerError, StatisticsClient
from gene_statistics.sync import BlockingClient, BlockingPublisher
from tests.api.support import PROJECT, TOTALS
from tests.conftest import MakeTopic
from tests.end_to_end.publisher import read_topic
from tests.library.stub import STATISTICS, Stub, answer, event, stream
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
        with pytest.raises(RuntimeError, match="not open"):
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
