"""The publisher against the everyday broker: where records lie, what they are, and what happens without a broker."""

import asyncio
import itertools
import socket
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from gene_statistics import (
    Delivery,
    EventPublisher,
    InvalidEventError,
    JobEvent,
    PublisherClosedError,
    PublishError,
    PublishTimeoutError,
    publisher,
)
from tests.conftest import MakeTopic
from tests.end_to_end.publisher import ReadRecord, read_topic
from tests.unit.test_library_parts import JAVA


def event_of(job_id: str, project_id: str = "p", **changes: Any) -> JobEvent:
    fields: dict[str, Any] = {
        "user_id": "u",
        "user_name": "test",
        "status": "RUNNING",
        "event_time": 1_532_605_671_002,
        "start_time": 1_532_605_670_471,
        "input_size": 729_092_919,
    }
    return JobEvent(project_id=project_id, job_id=job_id, **{**fields, **changes})


def lies_at(records: Sequence[ReadRecord], delivery: Delivery) -> ReadRecord:
    """The record that a delivery names."""
    [found] = [each for each in records if (each.partition, each.offset) == (delivery.partition, delivery.offset)]
    return found


async def test_records_lie_where_a_producer_in_java_puts_them(kafka_bootstrap: str, make_topic: MakeTopic) -> None:
    """The delivery says where and of when; the record is the event's, a deletion has no value."""
    topic = await make_topic(partitions=12)
    before_ms = time.time_ns() // 1_000_000
    deliveries: dict[str, Delivery] = {}
    async with EventPublisher(kafka_bootstrap, topic=topic) as publishing:
        for key, *_ in JAVA:
            project_id, job_id = key.split("/")
            deliveries[key] = await publishing.publish(event_of(job_id, project_id))
            again = await publishing.delete(project_id, job_id)
            assert (again.partition, again.offset) == (deliveries[key].partition, deliveries[key].offset + 1)
    assert {key: each.partition for key, each in deliveries.items()} == {key: row[2] for key, *row in JAVA}
    assert all(before_ms <= each.timestamp_ms <= time.time_ns() // 1_000_000 for each in deliveries.values())
    records = await read_topic(kafka_bootstrap, topic, 12, 2 * len(JAVA))
    for key, delivery in deliveries.items():
        record = lies_at(records, delivery)
        assert (record.key, record.value is not None) == (key.encode(), True)
    assert sorted(each.key for each in records if each.value is None and each.key) == sorted(
        k.encode() for k, *_ in JAVA
    )


@pytest.mark.parametrize("compression", ["zstd", "lz4", "snappy", "gzip", None])
async def test_many_at_once(kafka_bootstrap: str, make_topic: MakeTopic, compression: Any) -> None:
    """Each is delivered once, in the order of the iterable within its partition, whatever the codec."""
    topic = await make_topic()
    events = [event_of(f"job-{number % 100}", sequence=number + 1) for number in range(1_000)]
    async with EventPublisher(kafka_bootstrap, topic=topic, compression=compression) as publishing:
        first = await publishing.publish_many(iter(events[:500]))
        second = await asyncio.gather(*map(publishing.publish, events[500:]))
        assert await publishing.publish_many([]) == []
    deliveries = [*first, *second]
    records = await read_topic(kafka_bootstrap, topic, 4, len(events))
    assert len(records) == len(set(deliveries)) == len(events)
    by_place = {(each.partition, each.offset): each.value for each in records}
    assert [by_place[each.partition, each.offset] for each in deliveries] == [each.value for each in events]
    assert [each.offset for each in first if each.partition == 0] == sorted(
        each.offset for each in first if each.partition == 0
    )


async def test_each_record_has_its_own_time(
    kafka_bootstrap: str, make_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of one batch too."""
    seconds = itertools.count(1_000)
    monkeypatch.setattr(publisher, "time", SimpleNamespace(time_ns=lambda: next(seconds) * 10**9))
    async with EventPublisher(kafka_bootstrap, topic=await make_topic()) as publishing:
        deliveries = await publishing.publish_many(map(event_of, "abcdefghij"))
    assert [each.timestamp_ms for each in deliveries] == [number * 1000 for number in range(1_000, 1_010)]


async def test_more_than_may_be_under_way_wait(
    kafka_bootstrap: str, make_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Places are given back after failures and cancellations too."""
    topic = await make_topic()
    monkeypatch.setattr(publisher, "_MOST_UNDER_WAY", 3)
    async with EventPublisher(kafka_bootstrap, topic=topic) as publishing:
        for _ in range(3):
            tasks = [asyncio.create_task(publishing.publish(event_of(f"job-{number}"))) for number in range(20)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert len(await publishing.publish_many(map(event_of, "abcdefghij"))) == 10


async def test_nothing_is_sent_that_is_not_valid(kafka_bootstrap: str, make_topic: MakeTopic) -> None:
    """Neither an event nor a deletion."""
    topic = await make_topic()
    async with EventPublisher(kafka_bootstrap, topic=topic) as publishing:
        with pytest.raises(ValueError, match=r"^out_of_bounds: sequence: "):
            await publishing.publish(event_of("job", sequence=0))
        with pytest.raises(InvalidEventError, match=r"^bad_key: "):
            await publishing.delete("p", "a/b")
        for project_id, job_id in [("p", None), (None, "j"), ("p", 5), (b"p", "j")]:
            with pytest.raises(InvalidEventError, match=r"^bad_key: (project|job)_id: is no str"):
                await publishing.delete(project_id, job_id)  # type: ignore[arg-type]
        delivery = await publishing.publish(event_of("job"))
    assert delivery.offset == 0


async def test_closing_waits_for_what_is_under_way(kafka_bootstrap: str, make_topic: MakeTopic) -> None:
    """And takes nothing more, before it is opened neither."""
    topic = await make_topic()
    publishing = EventPublisher(kafka_bootstrap, topic=topic)
    with pytest.raises(PublisherClosedError, match="async with"):
        await publishing.publish(event_of("early"))
    await publishing.start()
    tasks = [asyncio.create_task(publishing.publish(event_of(f"job-{number}"))) for number in range(500)]
    tasks.append(asyncio.create_task(anext_many(publishing)))
    await asyncio.sleep(0)
    await publishing.close()
    assert all(task.done() for task in tasks)
    await asyncio.gather(*tasks)
    with pytest.raises(PublisherClosedError):
        await publishing.publish(event_of("late"))
    assert len(await read_topic(kafka_bootstrap, topic, 4, 1_500)) == 1_500


async def anext_many(publishing: EventPublisher) -> Any:
    return await publishing.publish_many(event_of(f"many-{number}") for number in range(1_000))


async def test_closing_does_not_wait_for_events_without_end(
    kafka_bootstrap: str, make_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was taken from the iterable is there; the caller hears that there is no more."""
    monkeypatch.setattr(publisher, "_AT_ONCE", 10)
    async with EventPublisher(kafka_bootstrap, topic=await make_topic()) as publishing:
        endless = asyncio.create_task(publishing.publish_many(map(event_of, itertools.repeat("job"))))
        await publishing.publish(event_of("another"))
    with pytest.raises(PublisherClosedError):
        await endless


async def test_a_broker_that_is_away_at_the_start() -> None:
    """One error after the deadline, which names the address; no connection is left."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(PublishTimeoutError, match=rf"{address} could be used within 0\.8 s"):
            async with EventPublisher(address, deadline_seconds=0.8):
                pytest.fail("it is not open")


async def test_a_broker_that_says_nothing() -> None:
    """As one that is away."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        publishing = EventPublisher(f"127.0.0.1:{silent.getsockname()[1]}", deadline_seconds=0.4)
        with pytest.raises(PublishTimeoutError, match=r"within 0\.4 s"):
            await publishing.start()


async def test_brokers_without_idempotence(kafka_bootstrap: str, make_topic: MakeTopic) -> None:
    """It is an error where it was asked for by name, and goes without otherwise."""
    topic = await make_topic()
    with pytest.raises(PublishError, match="idempotence"):
        await EventPublisher(kafka_bootstrap, topic=topic, idempotence=True).start()
    for idempotence in (None, False):
        async with EventPublisher(kafka_bootstrap, topic=topic, idempotence=idempotence) as publishing:
            await publishing.publish(event_of("job"))


async def test_the_library_gives_no_delivery_late(
    kafka_bootstrap: str, make_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publish that is not acknowledged raises at its deadline, and the next one works."""
    topic = await make_topic()
    async with EventPublisher(kafka_bootstrap, topic=topic, deadline_seconds=0.5) as publishing:
        with monkeypatch.context() as patch:

            async def lose(*_arguments: object, **_more: object) -> asyncio.Future[object]:
                return asyncio.get_running_loop().create_future()

            patch.setattr(AIOKafkaProducer, "send", lose)
            with pytest.raises(PublishTimeoutError, match=r"after 0\.5 s"):
                await publishing.publish(event_of("job"))
        assert (await publishing.publish(event_of("job"))).offset == 0
