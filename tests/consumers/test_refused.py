"""Events that the store refuses: each is found and becomes a dead letter, and everything else counts."""

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from redis.asyncio import Redis

from deploy.local.waiting import eventually
from service.events.event import JobDeletion
from service.store.errors import StoreUnavailableError
from service.store.layout.keys import head_key, project_prefix, stripe_of
from service.store.read.reader import RedisStatisticsStore
from service.store.redis.client import create_writer_client
from tests.consumers.conftest import MakeSettings
from tests.consumers.support import Event, RunningConsumer, publish, running_consumer
from tests.end_to_end.publisher import read_topic
from tests.store.support import COLLIDING_USERS, Store, acl, event

PREFIX = project_prefix("project")


async def read_letters(bootstrap: str, topic: str, count: int) -> list[Any]:
    """The first dead letters of a topic of one partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        return [await asyncio.wait_for(consumer.getone(), 30) for _ in range(count)]
    finally:
        await consumer.stop()


def header(record: Any, name: str) -> str:
    """A header of a dead letter, the last of its name."""
    return str(dict(record.headers)[f"dead-letter-{name}"].decode())


async def wait_refused(running: RunningConsumer, count: int) -> None:
    """Waits until so many events were refused."""
    await eventually(lambda: running.count("dead_letters", reason="refused") == count, f"{count} events refused")


async def settle(redis_url: str, events: list[Event]) -> None:
    """What a consumer had applied earlier, of another topic."""
    client = create_writer_client(redis_url, cluster=False)
    store = Store(client)
    batches = store.batches(events)
    for batch in batches:
        await store.writer.apply(1, [batch.held(batch.projects)])
    await client.aclose()


@pytest.fixture
async def redis(redis_flushed: str) -> Any:
    """A client to the emptied Redis."""
    async with Redis.from_url(redis_flushed) as client:
        yield client


async def test_each_refused_event_is_found_among_thousands(
    redis: Redis, redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str, topic: str
) -> None:
    """Ten events of a user whose key another user has are dead letters with the reason; the others all count."""
    known, other = COLLIDING_USERS
    await settle(redis_flushed, [event("first", user_id=known)])
    good: list[Event] = [event(job, project_id=f"project-{job % 40}") for job in range(6_000)]
    records: list[Event | bytes] = [*good]
    poison = [event(f"bad-{number}", user_id=other, user_name="new", event_time_ms=9_000) for number in range(10)]
    offsets = [17 + 600 * number for number in range(10)]
    for offset, bad in zip(offsets, poison, strict=True):
        records.insert(offset, bad)
    await publish(kafka_bootstrap, topic, records)
    async with running_consumer(make_settings(redis_flushed)) as running:
        await running.wait_counted(good)
        await wait_refused(running, 10)
        await running.wait_at(len(records))
        await running.wait_counted([event("first", user_id=known)])
        assert running.count("dead_letters", reason="refused") == 10
        assert running.count("records") == len(records)  # nothing is read again
    letters = await read_letters(kafka_bootstrap, f"{topic}.dead-letters", 10)
    assert {header(letter, "reason") for letter in letters} == {"refused"}
    assert sorted(int(header(letter, "offset")) for letter in letters) == offsets
    assert {header(letter, "detail") for letter in letters} == {f"COLLISION users {known} and {other} share a key"}
    assert {letter.key for letter in letters} == {f"project/bad-{number}".encode() for number in range(10)}


async def test_drift_that_a_script_meets_is_mended_on_the_spot(
    redis: Redis, redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str, topic: str
) -> None:
    """A deletion whose job is not where its record says counts all the same, and nothing becomes a dead letter."""
    known: list[Event] = [event(job) for job in range(3)]
    async with running_consumer(make_settings(redis_flushed)) as running:
        await publish(kafka_bootstrap, topic, known)
        await running.wait_counted(known)
        await redis.setrange(f"{PREFIX}n:42:0", 1, bytes(21 * 3))
        deletion = JobDeletion("project", event(1).job_id)
        await publish(kafka_bootstrap, topic, [deletion, event("other", project_id="project-2")])
        await running.wait_counted([*known, deletion, event("other", project_id="project-2")])
        assert running.count("mended_keys", by="script") >= 1
        assert running.count("dead_letters", reason="refused") == 0


async def test_write_that_ended_in_part_is_mended_and_comes_again(
    redis: Redis, redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str, topic: str
) -> None:
    """A user who may no longer APPEND ends scripts after their first write; once it may, all is counted by itself."""
    events: list[Event] = [event(job) for job in range(300)]
    await acl(redis, "SETUSER", "part", "reset", "on", ">part", "~*", "+@all")
    try:
        limited = redis_flushed.replace("redis://", "redis://part:part@")
        async with running_consumer(make_settings(limited)) as running:
            await running.wait_not_ready([])
            await acl(redis, "SETUSER", "part", "-append")
            await publish(kafka_bootstrap, topic, events)
            await eventually(
                lambda: running.count("resyncs", reason="StoreDeniedError") >= 3, "the consumer tries again"
            )
            with pytest.raises(StoreUnavailableError, match="ended in part"):
                await RedisStatisticsStore(redis).read("project", None, None, None)
            await acl(redis, "SETUSER", "part", "+append")
            await running.wait_counted(events)
            assert running.count("mended_keys", by="script") >= 1
            assert running.count("dead_letters", reason="refused") == 0
    finally:
        await acl(redis, "DELUSER", "part")


async def test_letters_do_not_pile_up_while_the_store_takes_no_writes(
    redis: Redis, redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str, topic: str
) -> None:
    """However often their batch is read again each bad record is one letter, and is counted once."""
    letters = f"{topic}.dead-letters"
    # of the stripes only the first takes writes; on it a consumer tries what it may do
    await acl(redis, "SETUSER", "part", "reset", "on", ">part", "~{s00}*", "%R~*", "+@all")
    try:
        limited = redis_flushed.replace("redis://", "redis://part:part@")
        async with running_consumer(make_settings(limited)) as running:
            await publish(kafka_bootstrap, topic, [b"bad", event(1), b"worse"])
            await eventually(lambda: running.count("dead_letters", reason="not_json") == 2, "letters are written")
            await publish(kafka_bootstrap, topic, [b"worst"])
            await eventually(lambda: running.count("dead_letters", reason="not_json") == 3, "one more is written")
            before = running.count("resyncs", reason="StoreDeniedError")
            await eventually(
                lambda: running.count("resyncs", reason="StoreDeniedError") >= before + 2, "it tries again"
            )
            await acl(redis, "SETUSER", "part", "~*")
            await running.wait_at(4)
            assert running.count("dead_letters", reason="not_json") == 3
    finally:
        await acl(redis, "DELUSER", "part")
    written = await read_topic(kafka_bootstrap, letters, 1, 3)
    assert [header(letter, "offset") for letter in written] == ["0", "2", "3"]


async def test_drift_that_cannot_be_mended_is_a_dead_letter_that_tells_what_to_run(
    redis: Redis, redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str, topic: str
) -> None:
    """Names of a foreign type are in no job record: the project's events wait among the dead letters."""
    async with running_consumer(make_settings(redis_flushed)) as running:
        await publish(kafka_bootstrap, topic, [event(1)])
        await running.wait_counted([event(1)])
        await redis.delete(f"{PREFIX}t")
        await redis.xadd(f"{PREFIX}t", {"a": "b"})
        await publish(kafka_bootstrap, topic, [event(2), event("other", project_id="project-2")])
        await wait_refused(running, 1)
        await running.wait_counted([event("other", project_id="project-2")])
        [letter] = await read_letters(kafka_bootstrap, f"{topic}.dead-letters", 1)
        assert header(letter, "detail").startswith("WRONGTYPE ")
        assert header(letter, "detail").endswith("`python -m consumers replay-dead-letters`")


async def test_stripe_that_cannot_be_written_at_all_makes_no_dead_letters(
    redis: Redis, redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str, topic: str
) -> None:
    """Where it is not the event's fault the consumer waits, and goes on by itself when the store is mended."""
    head = head_key(stripe_of("project"))
    await redis.xadd(head, {"a": "b"})
    await publish(kafka_bootstrap, topic, [event(1)])
    async with running_consumer(make_settings(redis_flushed)) as running:
        await eventually(
            lambda: running.count("resyncs", reason="StoreUnavailableError") >= 2, "the consumer tries again"
        )
        await redis.delete(head)
        await running.wait_counted([event(1)])
        assert running.count("dead_letters", reason="refused") == 0


async def test_a_stripe_whose_head_is_damaged_is_read_anew(
    redis: Redis, redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str, topic: str
) -> None:
    """Consumers wait and say so; once its keys are gone they read the topic again, and end with the same numbers."""
    events = [event(1), event(2), event("other", project_id="project-2")]
    stripe = stripe_of("project")
    async with running_consumer(make_settings(redis_flushed)) as running:
        await publish(kafka_bootstrap, topic, events[1:])
        await running.wait_counted(events[1:])
        await redis.set(head_key(stripe), "junk of somebody")
        await publish(kafka_bootstrap, topic, events[:1])
        await eventually(lambda: running.count("resyncs", reason="StoreUnavailableError") >= 2, "it tries again")
        await running.wait_not_ready(["redis"])
        await redis.unlink(*[key async for key in redis.scan_iter(match=f"{{s{stripe:02}}}*")])
        await running.wait_counted(events)
