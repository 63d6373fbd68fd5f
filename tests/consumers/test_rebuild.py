"""A rebuild beside a live consumer and readers: answers are right all the while, and whatever ends it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import pytest
from redis.asyncio import Redis

from consumers.rebuild.builder import ShowProgress
from consumers.rebuild.run import Rebuilt, discard, rebuild
from deploy.local.process import Child
from deploy.local.servers import free_port
from deploy.local.waiting import eventually
from service.events.event import JobDeletion
from service.runtime.settings import ConsumerSettings
from service.store.generations import GenerationError
from service.store.layout.heads import parse_head
from service.store.layout.keys import STRIPES, building_head_key, project_prefix
from service.store.layout.projects import user_key
from service.store.read.reader import RedisStatisticsStore
from service.store.redis.client import create_writer_client
from service.store.write.batch import fold
from service.store.write.writer import Step, StoreWriter, StripeBatch
from tests.consumers.conftest import MakeSettings
from tests.consumers.support import Event, environment_of, publish, running_consumer
from tests.consumers.test_refused import read_letters
from tests.oracle import Oracle
from tests.servers import Processes
from tests.store.support import Query, Store, assert_equals_oracle, assert_no_drift, event, everything

PROJECTS = [f"project-{number}" for number in range(30)]
STILL: list[Event] = [
    event(job, project_id="still", user_id=f"user{job % 7}", start_time_ms=job * 40_000_000) for job in range(1_500)
]
MOVED: list[Event] = [
    *[event(job, project_id="still", sequence=1, start_time_ms=job) for job in range(0, 1_500, 5)],
    *[JobDeletion("still", each.job_id) for each in STILL[::11]],
]
FIRST: list[Event] = [*STILL, *MOVED, *[event(job, project_id=PROJECTS[job % 30]) for job in range(3_000)]]


def no_progress(_total: int) -> nullcontext[Callable[[int], None]]:
    """Nobody looks."""
    return nullcontext(lambda _: None)


async def rebuilt(settings: ConsumerSettings) -> Rebuilt:
    """A rebuild from its beginning, or from where it was, to its end."""
    return await rebuild(settings, False, no_progress)


def growing(wave: int) -> list[Event]:
    """New jobs of a project in which there is nothing else."""
    return [event(wave * 100 + job, project_id="growing", user_id=f"user{job % 3}") for job in range(100)]


@dataclass(slots=True)
class Watcher:
    """Asks all the time; every answer must be right as far as that can be known while events come in."""

    reader: RedisStatisticsStore
    answers: int = 0
    generations: int = 0

    async def watch(self) -> None:
        """Compares what stands still with a recount; what only grows must not shrink, nor go back in time."""
        still, as_of_ms, jobs = Oracle(FIRST), 0, 0
        whole = (still.answer("still"), still.answer("still", 7_000_000_000, 30_000_000_123))
        while True:
            for bounds, expected in zip(((None, None), (7_000_000_000, 30_000_000_123)), whole, strict=True):
                answer = await self.reader.read("still", *bounds, None)
                assert json.loads(answer.body) == expected
            growing = await self.reader.read("growing", None, None, None)
            count = json.loads(growing.body)["total_running_num"]
            assert growing.as_of_ms >= as_of_ms
            assert count >= jobs
            as_of_ms, jobs = growing.as_of_ms, count
            self.answers += 1
            await asyncio.sleep(0)


@asynccontextmanager
async def watched(redis_url: str) -> AsyncIterator[Watcher]:
    """A watcher that asks until the block ends; raises what it found wrong."""
    async with Redis.from_url(redis_url) as client:
        watcher = Watcher(RedisStatisticsStore(client))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(watcher.watch())
            yield watcher
            task.cancel()


async def test_answers_are_right_all_the_while(
    redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str, topic: str
) -> None:
    """Events are published, applied and asked for while a generation is built and swapped in, twice: nobody notices."""
    settings, published = make_settings(redis_flushed), list(FIRST)

    async def load(waves: range) -> None:
        for wave in waves:
            published.extend(growing(wave))
            await publish(kafka_bootstrap, topic, growing(wave))

    async with running_consumer(settings) as running:
        await publish(kafka_bootstrap, topic, FIRST)
        await running.wait_counted(FIRST)
        async with watched(redis_flushed) as watcher:
            for number in (1, 2):
                loading = asyncio.create_task(load(range(number * 100, number * 100 + 60)))
                result = await rebuilt(settings)
                assert result.generation == number
                assert result.deleted_keys > 100
                await loading
                await running.wait_counted(published)
        assert watcher.answers > 20
        store = Store(running.redis)
        await assert_equals_oracle(
            store, published, [("still", 0, 9_000_000_000, "user3"), (PROJECTS[3], None, None, None)]
        )
        await assert_no_drift(running.redis, published)
        assert {head.generation for head in await running.writer.read_heads()} == {2}
        assert not [key async for key in running.redis.scan_iter("{s[0-9][0-9]}1:*")]


@asynccontextmanager
async def settled(settings: ConsumerSettings, bootstrap: str, events: Sequence[Event | bytes]) -> AsyncIterator[Redis]:
    """A store with these events applied by whoever was there before, and the topic that they are from; a client."""
    await publish(bootstrap, settings.kafka_topic, events)
    projects = fold(each for each in events if not isinstance(each, bytes))
    async with Redis.from_url(settings.redis_url) as client:
        steps = [Step(0, 0, len(events), 7)]
        batches = [StripeBatch(stripe, steps, projects.get(stripe, ())) for stripe in range(STRIPES)]
        await StoreWriter(client).apply(1, batches)
        yield client


async def offset_built(client: Redis, generation: int) -> int:
    """How far a generation is in the furthest stripe; -1 if it is not there."""
    data: list[Any] = await client.mget([building_head_key(stripe, generation) for stripe in range(STRIPES)])
    heads = [parse_head(each) for each in data if each]
    return max((head.progress[0].next_offset if head.progress else 0 for head in heads), default=-1)


async def is_live(client: Redis, generation: int) -> bool:
    """Whether the generations have been swapped."""
    return (await StoreWriter(client).read_heads())[0].generation == generation


MANY: list[Event] = [*STILL, *[event(job, project_id=PROJECTS[job % 30]) for job in range(45_000)]]


async def test_killed_at_any_instant_it_goes_on(
    redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str, processes: Processes
) -> None:
    """A rebuild that is killed once begun, in the middle, and while it deletes keys, ends well when it is run again."""
    settings = make_settings(redis_flushed)

    def start() -> Child:
        return processes.start("consumers", environment_of(settings), "rebuild", "--json")

    async with settled(settings, kafka_bootstrap, MANY) as client:
        for least in (0, 1, 20_001):

            async def has_come_far(least: int = least) -> bool:
                return await offset_built(client, 1) >= least or await is_live(client, 1)

            child = start()
            await eventually(has_come_far, f"the new generation is at offset {least}")
            child.process.kill()
            child.process.wait()
            before = Store(client)
            await assert_equals_oracle(before, MANY, [("still", None, None, None), (PROJECTS[7], None, None, None)])
        child = start()
        await eventually(lambda: is_live(client, 1), "the generations are swapped")
        child.process.kill()
        child.process.wait()
        await assert_equals_oracle(Store(client), MANY, [("still", None, None, None), (PROJECTS[7], None, None, None)])
        await discard(settings)
        assert not [key async for key in client.scan_iter("{s[0-9][0-9]}:*:*")]
        await assert_no_drift(client, MANY)


class BrokenOffError(Exception):
    """What ends a rebuild in the middle."""


def interrupted_after(batches: int) -> ShowProgress:
    """Ends a rebuild when it has read so many batches, and applied all but the last."""
    left = batches

    def advance(_read: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise BrokenOffError

    return lambda _total: nullcontext(advance)


async def finish(child: Child, code: int) -> str:
    """The output of a process that ends with this status."""
    assert await asyncio.to_thread(child.process.wait, 60) == code, child.tail()
    return child.log_path.read_text()


async def test_discarded_it_leaves_nothing(
    redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str, processes: Processes
) -> None:
    """What an interrupted rebuild has built is thrown away by --discard; the next one begins from nothing."""
    settings = make_settings(redis_flushed)
    async with settled(settings, kafka_bootstrap, FIRST) as client:
        before = await everything(client)
        with pytest.raises(BrokenOffError):
            await rebuild(settings, False, interrupted_after(2), batch_records=1)
        assert await offset_built(client, 1) > 0
        child = processes.start("consumers", environment_of(settings), "rebuild", "--discard", "--json")
        assert json.loads(await finish(child, 0))["deleted_keys"] > 100
        assert await everything(client) == before
        child = processes.start("consumers", environment_of(settings), "rebuild")
        assert "generation 1 is live: " in await finish(child, 0)
        await assert_equals_oracle(Store(client), FIRST, [("still", None, None, None)])


async def test_interrupted_it_goes_on_where_it_was(
    redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str
) -> None:
    """What was applied is not read again; what comes meanwhile is read too."""
    settings = make_settings(redis_flushed)
    async with settled(settings, kafka_bootstrap, FIRST) as client:
        with pytest.raises(BrokenOffError):
            await rebuild(settings, False, interrupted_after(3), batch_records=1)
        await publish(kafka_bootstrap, settings.kafka_topic, growing(1))
        result = await rebuilt(settings)
        assert result.records < len(FIRST)
        await assert_equals_oracle(
            Store(client), [*FIRST, *growing(1)], [("still", None, None, None), ("growing", None, None, None)]
        )
        await assert_no_drift(client, FIRST)


async def test_a_damaged_store_is_right_afterwards(
    redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str
) -> None:
    """Whatever was deleted or altered by hand, metas, shapes, records, nodes, names: a rebuild makes it right."""
    settings = make_settings(redis_flushed)
    async with settled(settings, kafka_bootstrap, FIRST) as client:
        prefix = project_prefix("still")
        await client.delete(f"{prefix}s", f"{prefix}j:3", f"{project_prefix(PROJECTS[1])}m")
        await client.set(f"{prefix}n:42:0", "R" + "x" * 40)
        await client.set(f"{prefix}t", "no names")
        await client.rename(f"{project_prefix(PROJECTS[2])}m", f"{project_prefix(PROJECTS[2])}u")
        await rebuilt(settings)
        assert not [key async for key in client.scan_iter("{s[0-9][0-9]}:*:*")]
        await assert_no_drift(client, FIRST)
        await assert_equals_oracle(Store(client), FIRST, [(each, None, None, None) for each in ["still", *PROJECTS]])


async def test_dead_letters_come_once(redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str) -> None:
    """Letters are not sent again; those of records that only the rebuild has read are left to the consumers."""
    settings = make_settings(redis_flushed)
    async with settled(settings, kafka_bootstrap, [b"first", *FIRST]):
        pass
    await publish(kafka_bootstrap, settings.kafka_topic, [b"second", *growing(1)])
    assert (await rebuilt(settings)).dead_letters == {"not_json": 2}
    async with running_consumer(settings) as running:
        await publish(kafka_bootstrap, settings.kafka_topic, [b"third", *growing(2)])
        await running.wait_counted([*growing(1), *growing(2)])
        await eventually(lambda: running.count("dead_letters", reason="not_json") == 2, "two dead letters")
    letters = await read_letters(kafka_bootstrap, settings.kafka_dead_letter_topic, 2)
    assert [letter.value for letter in letters] == [b"second", b"third"]


async def test_an_event_that_no_store_takes_is_left_out(
    redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str
) -> None:
    """An event that collides with another user's is left out, as when it became a dead letter; all else counts."""
    settings = make_settings(redis_flushed)
    victim = event("victim", user_id="victim")
    async with settled(settings, kafka_bootstrap, FIRST) as client:
        await publish(kafka_bootstrap, settings.kafka_topic, [victim, event("other")])
        prefix, key = project_prefix("project", 1), user_key("victim")
        await client.hset(f"{prefix}u", key, b"\x05rivalname")
        await client.set(f"{prefix}t", key + bytes(13))
        assert (await rebuilt(settings)).dead_letters == {"refused": 1}
        events = [*FIRST, event("other")]
        await assert_equals_oracle(Store(client), events, [(each, None, None, None) for each in ("project", "still")])


async def test_a_new_generation_that_is_damaged_is_not_swapped_in(
    redis_flushed: str, make_settings: MakeSettings, kafka_bootstrap: str
) -> None:
    """Where the keys of the new generation are not what a rebuild has written, it ends and says what to do."""
    settings = make_settings(redis_flushed)
    async with settled(settings, kafka_bootstrap, FIRST) as client:
        await client.lpush(f"{project_prefix('still', 1)}n:42:0", "no node")
        with pytest.raises(GenerationError, match=r"generation 1 is damaged: .*WRONGTYPE.*; discard it"):
            await rebuilt(settings)
        await discard(settings)
        await rebuilt(settings)
        await assert_equals_oracle(Store(client), FIRST, [("still", None, None, None)])


async def test_on_a_cluster_each_stripe_is_swapped_by_itself(
    any_cluster_url: str, make_settings: MakeSettings, kafka_bootstrap: str, topic: str, processes: Processes
) -> None:
    """Under load some stripes are swapped before others; these are built on, and those left to the consumers."""
    settings, published, port = make_settings(any_cluster_url, redis_cluster="true"), list(FIRST), free_port()
    environment = {**environment_of(settings), "STATS_REDIS_CLUSTER": "true", "STATS_METRICS_PORT": str(port)}
    await processes.start_ready("consumers", environment, port)

    async def load() -> None:
        for wave in range(60):
            published.extend(growing(wave))
            await publish(kafka_bootstrap, topic, growing(wave))

    client = create_writer_client(settings.redis_url, cluster=True)
    store = Store(client)
    async with aclosing(client):
        await publish(kafka_bootstrap, topic, FIRST)
        loading = asyncio.create_task(load())
        assert (await rebuilt(settings)).generation == 1
        await loading

        async def is_counted() -> bool:
            return await store.body("growing") == Oracle(published).answer("growing")

        await eventually(is_counted, "all events are counted")
        assert {head.generation for head in await store.writer.read_heads()} == {1}
        queries: list[Query] = [("still", None, None, None), *[(each, None, None, None) for each in PROJECTS]]
        await assert_equals_oracle(store, published, queries)
        await assert_no_drift(client, published)
