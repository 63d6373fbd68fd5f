"""Everything as separate processes, from published records to answers over HTTP, while processes come and go."""

import asyncio
from collections.abc import Iterator
from random import Random

from deploy.local.waiting import eventually
from tests.end_to_end.checks import assert_answers, assert_dead_letters
from tests.end_to_end.history import make_history, waves
from tests.end_to_end.publisher import Publisher
from tests.end_to_end.system import RunningConsumer, System
from tests.end_to_end.traffic import Record

STOP_SECONDS = 10.0
PAUSE_SECONDS = 0.05


async def test_every_answer_equals_a_recount(
    system: System, publisher: Publisher, rnd: Random, kafka_bootstrap: str, topic: str
) -> None:
    """Two consumers and the API answer exactly, whatever comes in whatever order; bad records are set aside whole."""
    await asyncio.gather(system.start_consumer(), system.start_consumer(), system.start_service())
    for wave in waves(make_history(rnd, jobs=12_000, bad_records=90), 4):
        acknowledged_ms = await publisher.publish(wave)
        await assert_answers(system, publisher.published, acknowledged_ms, rnd, count=200)
    await assert_dead_letters(kafka_bootstrap, topic, publisher.published)


async def test_a_killed_consumer_loses_nothing(
    system: System, publisher: Publisher, rnd: Random, kafka_bootstrap: str, topic: str
) -> None:
    """When a consumer is killed in the middle of its work and another started, every event counts, and counts once."""
    doomed, _, _ = await asyncio.gather(system.start_consumer(), system.start_consumer(), system.start_service())
    first, second = waves(make_history(rnd, jobs=8_000, bad_records=90), 2)
    publishing = asyncio.create_task(publisher.publish(first))
    await wait_for_records(system, doomed)
    doomed.child.process.kill()
    await publishing
    _, acknowledged_ms = await asyncio.gather(system.start_consumer(), publisher.publish(second))
    await assert_answers(system, publisher.published, acknowledged_ms, rnd)
    await assert_dead_letters(kafka_bootstrap, topic, publisher.published, at_most=2)


async def test_consumers_join_and_leave_in_the_middle_of_a_wave(
    system: System, publisher: Publisher, rnd: Random, kafka_bootstrap: str, topic: str
) -> None:
    """A rebalance in either direction changes no answer and loses no dead letter; a consumer told to stop exits 0."""
    first, _ = await asyncio.gather(system.start_consumer(), system.start_service())
    pieces = iter(waves(make_history(rnd, jobs=8_000, bad_records=90), 400))
    joining = asyncio.create_task(system.start_consumer())
    await publish_meanwhile(publisher, pieces, joining)
    leaving = asyncio.create_task(stop(first))
    await publish_meanwhile(publisher, pieces, leaving)
    assert leaving.result() == 0
    acknowledged_ms = await publisher.publish([record for piece in pieces for record in piece])
    await assert_answers(system, publisher.published, acknowledged_ms, rnd)
    assert await system.records_read(joining.result()) > 0
    await assert_dead_letters(kafka_bootstrap, topic, publisher.published, at_most=1)


async def test_everything_restarted_goes_on_where_it_was(system: System, publisher: Publisher, rnd: Random) -> None:
    """New processes over the same Redis read from its offsets: what was counted is not even read again.

    They are another consumer group, which has committed nothing to Kafka: only the store can tell them.
    """
    consumer, service = await asyncio.gather(system.start_consumer(), system.start_service())
    before, after = waves(make_history(rnd, jobs=3_000, bad_records=9), 2)
    acknowledged_ms = await publisher.publish(before)
    await assert_answers(system, before, acknowledged_ms, rnd)
    assert await stop(consumer) == 0
    await asyncio.to_thread(service.stop)
    assert service.process.returncode == 0

    consumer, _ = await asyncio.gather(system.start_consumer(group="another"), system.start_service())
    await assert_answers(system, before, acknowledged_ms, rnd)
    acknowledged_ms = await publisher.publish(after)
    await assert_answers(system, publisher.published, acknowledged_ms, rnd)
    starts = [line["offsets"] for line in consumer.log_lines("reading from the store's offsets")]
    assert [sum(offsets.values()) for offsets in starts] == [len(before)]
    assert await system.records_read(consumer) == len(after)


async def publish_meanwhile(
    publisher: Publisher, pieces: Iterator[list[Record]], task: asyncio.Task[RunningConsumer] | asyncio.Task[int]
) -> None:
    """Publishes piece after piece until the task is done."""
    while not task.done():
        await publisher.publish(next(pieces, []))
        await asyncio.wait([task], timeout=PAUSE_SECONDS)


async def wait_for_records(system: System, consumer: RunningConsumer) -> None:
    """Waits until this consumer has applied some records."""

    async def has_read() -> bool:
        return await system.records_read(consumer) > 0

    await eventually(has_read, "the consumer has applied records")


async def stop(consumer: RunningConsumer) -> int:
    """Asks a consumer to end, and gives its exit status; raises TimeoutExpired if that takes too long."""
    consumer.child.process.terminate()
    return await asyncio.to_thread(consumer.child.process.wait, STOP_SECONDS)
