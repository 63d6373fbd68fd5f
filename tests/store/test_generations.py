"""Generations: one is built beside the live one, takes its place at once, and its predecessor's keys go."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis, RedisCluster

from service.store.errors import FencedError
from service.store.generations import Building, BuildingWriter, GenerationError, Generations
from service.store.layout.heads import LAYOUT_VERSION, Progress
from service.store.layout.keys import STRIPES, building_head_key, head_key, retired_key, stripe_of
from service.store.redis.client import create_writer_client
from service.store.redis.script import Script
from service.store.retention import Sweeper
from service.store.write.writer import Step, StoreWriter, StripeBatch
from tests.store.support import Client, Query, Store, assert_equals_oracle, assert_no_drift, event, everything

PROJECTS = [f"project-{number}" for number in range(90)]
EVENTS = [event(job, project_id=project, start_time_ms=job * 1_000) for project in PROJECTS for job in range(3)] + [
    event(job, start_time_ms=job) for job in range(400)
]
QUERIES: list[Query] = [(project, None, None, None) for project in [*PROJECTS, "project"]]
END = len(EVENTS)


@pytest.fixture
def generations(client: Redis) -> Generations:
    """The generations of an empty store."""
    return Generations(client)


async def no_pause() -> None:
    """Nobody else needs a turn."""


async def fill(writer: StoreWriter, store: Store, generation: int, end: int = END, watermark_ms: int = 0) -> None:
    """Applies all events to a generation, and moves each stripe from where it is to an offset."""
    projects = {batch.stripe: batch.projects for batch in store.batches(EVENTS)}
    heads = await writer.read_heads()
    await writer.apply(
        1,
        [
            StripeBatch(
                stripe,
                [Step(0, head.progress[0].next_offset if head.progress else 0, end, watermark_ms)],
                projects.get(stripe, ()),
                generation,
            )
            for stripe, head in enumerate(heads)
        ],
    )


async def build(client: Client, store: Store, generations: Generations, end: int = END) -> Building:
    """Begins the next generation, and fills it."""
    await generations.begin(await generations.look())
    building = await generations.look()
    await fill(BuildingWriter(client, building), store, building.generation, end)
    return building


async def test_new_generation_takes_the_place_of_the_live_one(
    client: Redis, store: Store, generations: Generations
) -> None:
    """Answers are the old ones until the swap, and the new ones from then on; offsets and as-of do not change."""
    await store.apply(EVENTS[:50], watermark_ms=7)
    await fill(store.writer, store, 0, END - 1, watermark_ms=9)
    await client.flushdb()
    await store.writer.apply(1, [StripeBatch(stripe, [Step(0, 0, END - 1, 9)]) for stripe in range(STRIPES)])
    building = await build(client, store, generations)
    assert (building.generation, building.is_begun, building.stripes) == (1, True, list(range(STRIPES)))
    await assert_equals_oracle(store, [], QUERIES)
    assert await generations.swap(building) == []
    await assert_equals_oracle(store, EVENTS, QUERIES)
    await assert_no_drift(client, EVENTS)
    assert {(head.generation, head.progress) for head in await store.writer.read_heads()} == {
        (1, (Progress(END - 1, 9),))
    }
    assert (await generations.look()).generation == 2


async def test_no_swap_while_the_new_generation_is_behind(
    client: Redis, store: Store, generations: Generations
) -> None:
    """Where a single stripe of the live generation is further, no stripe is swapped, and nothing is written."""
    await fill(store.writer, store, 0, END)
    building = await build(client, store, generations, END)
    await store.writer.apply(1, [StripeBatch(5, [Step(0, END, END + 1, 0)])])
    before = await everything(client)
    assert await generations.swap(building) == list(range(STRIPES))
    assert await everything(client) == before
    await BuildingWriter(client, building).apply(1, [StripeBatch(5, [Step(0, END, END + 1, 0)], generation=1)])
    assert await generations.swap(building) == []


async def test_new_partitions_of_the_live_generation_count_too(
    client: Redis, store: Store, generations: Generations
) -> None:
    """A partition that the new generation does not know holds the swap back once something of it was applied."""
    building = await build(client, store, generations)
    await store.writer.apply(3, [StripeBatch(5, [Step(2, 0, 0, 7)])])
    await store.writer.apply(3, [StripeBatch(6, [Step(2, 0, 1, 7)])])
    assert await generations.swap(building) == list(range(STRIPES))
    await BuildingWriter(client, building).apply(3, [StripeBatch(6, [Step(2, 0, 1, 0)], generation=1)])
    assert await generations.swap(building) == []


async def test_writers_of_the_former_generation_are_fenced(
    client: Redis, store: Store, generations: Generations
) -> None:
    """Who still believes in the former generation is refused, and finds the new one in the heads."""
    await fill(store.writer, store, 0)
    assert await generations.swap(await build(client, store, generations)) == []
    before = await everything(client)
    late = StripeBatch(stripe_of("project"), [Step(0, END, END + 1, 0)], store.batches([event(9_999)])[0].projects)
    with pytest.raises(FencedError):
        await store.writer.apply(1, [late])
    assert await everything(client) == before


async def test_retired_generation_goes_and_nothing_else(client: Redis, store: Store, generations: Generations) -> None:
    """All keys of the former generation are deleted, whatever they are; the live ones and others' keys stay."""
    await fill(store.writer, store, 0)
    await client.hset("{s07}:lost:j:5", "field", "of a project that no meta knows")
    others = {b"somebody's": b"1", b"{s07}:topics": b"2", b"{s1}:a:b": b"3"}
    await client.mset(others)
    assert await generations.swap(await build(client, store, generations)) == []
    live = {key for key in await everything(client) if key.partition(b"}")[2].startswith(b"1:")}
    deleted = await generations.delete_retired()
    heads = {head_key(stripe).encode() for stripe in range(STRIPES)}
    assert set(await everything(client)) == live | heads | others.keys()
    assert deleted > len(EVENTS) / 24
    await assert_equals_oracle(store, EVENTS, QUERIES)
    assert await generations.delete_retired() == 0


async def test_discarded_generation_goes_before_its_number_is_used_again(
    client: Redis, store: Store, generations: Generations
) -> None:
    """What was built is given up: it cannot be swapped, its keys go, and the live generation is as it was."""
    await fill(store.writer, store, 0)
    before = await everything(client)
    building = await build(client, store, generations)
    await generations.discard(building)
    with pytest.raises(GenerationError, match="generation 1 is not there"):
        await generations.swap(building)
    with pytest.raises(FencedError):
        await fill(BuildingWriter(client, building), store, 1)
    assert await generations.delete_retired() > 0
    assert await everything(client) == before
    assert not (await generations.look()).is_begun


async def test_keys_of_a_generation_that_is_live_again_stay(
    client: Redis, store: Store, generations: Generations
) -> None:
    """When Redis goes back, while keys are deleted, to when they were live, not one of those left is touched."""
    await fill(store.writer, store, 0)
    before = await everything(client)
    assert await generations.swap(await build(client, store, generations)) == []

    class GoesBack(Redis):
        async def execute_command(self, *arguments: object, **options: object) -> object:
            if arguments[0] == "SCAN":
                await client.flushdb()
                for key, value in before.items():
                    assert isinstance(value, bytes)
                    await client.restore(key, 0, value)
            return await super().execute_command(*arguments, **options)  # type: ignore[no-untyped-call]

    async with GoesBack.from_pool(client.connection_pool) as seen:
        seen.auto_close_connection_pool = False
        assert await Generations(seen).delete_retired() == 0
    assert (await everything(client)).keys() == before.keys()
    await assert_equals_oracle(store, EVENTS, QUERIES)
    await assert_no_drift(client, EVENTS)


async def test_swap_that_ended_halfway_is_finished(client: Redis, store: Store, generations: Generations) -> None:
    """Where some stripes are swapped, the rest is built on, without a word to those; it can't be discarded any more."""
    await fill(store.writer, store, 0)
    building = await build(client, store, generations)
    swap = Script("swap.lua")
    for stripe in range(0, STRIPES, 2):
        keys = [head_key(stripe), building_head_key(stripe, 1), retired_key(stripe)]
        await swap.run(client, keys, LAYOUT_VERSION, building.generation)
    found = await generations.look()
    assert (found.generation, found.stripes) == (1, list(range(1, STRIPES, 2)))
    with pytest.raises(GenerationError, match="live already in some stripes"):
        await generations.discard(found)
    heads = await BuildingWriter(client, found).read_heads()
    assert {head.generation for head in heads} == {1}
    await fill(BuildingWriter(client, found), store, 1, END + 5)
    progress = {head.progress for head in await store.writer.read_heads()}
    assert progress == {(Progress(END, 0),)}
    assert await generations.swap(found) == []
    assert {head.generation for head in await store.writer.read_heads()} == {1}
    await assert_equals_oracle(store, EVENTS, QUERIES)


@pytest.fixture
async def cluster(any_cluster_url: str) -> AsyncIterator[RedisCluster]:
    """A writer's client of an empty Redis Cluster."""
    client = create_writer_client(any_cluster_url, cluster=True)
    assert isinstance(client, RedisCluster)
    yield client
    await client.aclose()


async def test_generations_on_a_cluster(cluster: RedisCluster) -> None:
    """Stripes are swapped each by itself, the former generation's keys deleted, and the new one is swept."""
    store, generations = Store(cluster), Generations(cluster)
    await fill(store.writer, store, 0)
    await store.writer.apply(1, [StripeBatch(5, [Step(0, END, END + 1, 0)])])
    assert await generations.swap(await build(cluster, store, generations)) == [5]
    building = await generations.look()
    assert building.stripes == [5]
    await BuildingWriter(cluster, building).apply(1, [StripeBatch(5, [Step(0, END, END + 1, 0)], generation=1)])
    assert await generations.swap(building) == []
    await assert_equals_oracle(store, EVENTS, QUERIES)
    assert await generations.delete_retired() > len(EVENTS) / 24
    assert not [key async for key in cluster.scan_iter("{s[0-9][0-9]}:*:*")]
    await assert_equals_oracle(store, EVENTS, QUERIES)
    await generations.discard(await build(cluster, store, generations, END + 1))
    assert await generations.delete_retired() > len(EVENTS) / 24
    step = Step(0, END, END, 0)
    await store.writer.apply(1, [StripeBatch(stripe_of("project"), [step], generation=1, horizon_ms=300)])
    swept = await Sweeper(cluster).sweep(stripe_of("project"), no_pause)
    assert swept is not None
    assert swept.records == 300 + sum(stripe_of(each) == stripe_of("project") for each in PROJECTS)
    await assert_no_drift(cluster, EVENTS)
