"""The fence: a stripe takes a batch only from where the writer believes it to be, and knows how far it is."""

import pytest
from redis.asyncio import Redis

from service.store.errors import FencedError, LayoutError, StoreUnavailableError
from service.store.layout.heads import LAYOUT_VERSION, Progress
from service.store.layout.keys import STRIPES, head_key, project_prefix, stripe_of
from service.store.read.reader import RedisStatisticsStore
from service.store.write.writer import Step, StoreWriter, StripeBatch
from tests.store.support import Store, assert_equals_oracle, event, everything, stripe_as_of_ms

STRIPE = stripe_of("project")
WHOLE: list[tuple[str, int | None, int | None, str | None]] = [("project", None, None, None)]


@pytest.mark.parametrize("expected_offset", [0, 2, 4, 2**40])
async def test_wrong_offset_is_fenced(store: Store, expected_offset: int) -> None:
    """A batch from another offset than the stripe's is refused, and nothing of it is written."""
    await store.apply([event(1), event(2), event(3)])
    before = await everything(store.client)
    projects = store.batches([event(4)])[0].projects
    with pytest.raises(FencedError, match=f"stripe {STRIPE} "):
        await store.writer.apply(1, [StripeBatch(STRIPE, [Step(0, expected_offset, 9, 9)], projects)])
    assert await everything(store.client) == before


async def test_one_wrong_offset_of_two_fences_both_partitions(store: Store) -> None:
    """A stripe moves in all partitions of a batch, or in none."""
    with pytest.raises(FencedError):
        await store.writer.apply(2, [StripeBatch(STRIPE, [Step(0, 0, 5, 1), Step(1, 3, 6, 1)])])
    assert await everything(store.client) == {}


async def test_fenced_stripe_does_not_hold_back_others(store: Store) -> None:
    """Stripes are applied each by itself: the failure is raised after all have answered."""
    with pytest.raises(FencedError) as failure:
        await store.writer.apply(1, [StripeBatch(3, [Step(0, 1, 2, 5)]), StripeBatch(4, [Step(0, 0, 2, 5)])])
    heads = await store.writer.read_heads()
    assert (failure.value.stripe, heads[3].progress, heads[4].progress) == (3, (), (Progress(2, 5),))


async def test_batch_applied_again_from_where_the_stripe_is(store: Store) -> None:
    """A replay with right fences moves the offset and changes no answer, no record and no node."""
    events = [event(job, start_time_ms=job * 1_000) for job in range(300)]
    assert await store.apply(events) == 300
    before = await everything(store.client)
    assert await store.apply(events) == 0
    after = await everything(store.client)
    assert {key for key in after if after[key] != before.get(key)} == {head_key(STRIPE).encode()}
    await assert_equals_oracle(store, events, WHOLE)


async def test_heads_show_offsets_and_watermarks_of_each_partition(store: Store) -> None:
    """Each partition has its own progress; the watermark of the slowest is the as-of time."""
    await store.writer.apply(3, [StripeBatch(STRIPE, [Step(0, 0, 5, 100), Step(2, 0, 7, 300)])])
    heads = await store.writer.read_heads()
    assert len(heads) == STRIPES
    assert heads[STRIPE].progress == (Progress(5, 100), Progress(0, 0), Progress(7, 300))
    assert (await stripe_as_of_ms(store.client, STRIPE), heads[STRIPE - 1].progress) == (0, ())
    await store.writer.apply(3, [StripeBatch(STRIPE, [Step(1, 0, 1, 200)])])
    assert await stripe_as_of_ms(store.client, STRIPE) == 100
    assert (await store.reader.read("project", None, None, None)).as_of_ms == 100


async def test_steps_in_any_order(store: Store) -> None:
    """The order in which a batch names its partitions does not matter."""
    await store.writer.apply(3, [StripeBatch(STRIPE, [Step(2, 0, 7, 300), Step(0, 0, 5, 100), Step(1, 0, 6, 200)])])
    progress = (await store.writer.read_heads())[STRIPE].progress
    assert progress == (Progress(5, 100), Progress(6, 200), Progress(7, 300))


async def test_watermark_never_goes_back(store: Store) -> None:
    """A lower watermark leaves the stored one; the offset moves all the same, also back."""
    await store.writer.apply(1, [StripeBatch(STRIPE, [Step(0, 0, 5, 100)])])
    await store.writer.apply(1, [StripeBatch(STRIPE, [Step(0, 5, 3, 50)])])
    assert (await store.writer.read_heads())[STRIPE].progress == (Progress(3, 100),)


async def test_as_of_of_a_topic_that_gets_partitions_stands_still_until_they_are_read(store: Store) -> None:
    """New partitions enlarge the head, and hold nothing older than it; a writer that knows fewer loses none of them."""
    await store.writer.apply(2, [StripeBatch(STRIPE, [Step(0, 0, 5, 300), Step(1, 0, 5, 100)])])
    await store.writer.apply(4, [StripeBatch(STRIPE, [Step(0, 5, 6, 400), Step(1, 5, 6, 400)])])
    assert await stripe_as_of_ms(store.client, STRIPE) == 100
    await store.writer.apply(2, [StripeBatch(STRIPE, [Step(0, 6, 7, 500)])])
    progress = (Progress(7, 500), Progress(6, 400), Progress(0, 100), Progress(0, 100))
    assert (await store.writer.read_heads())[STRIPE].progress == progress


async def test_large_batch_is_acknowledged_by_its_last_call_alone(store: Store) -> None:
    """When a later call of a large batch fails, the offset is where it was, and the whole batch may come again."""
    assert isinstance(store.client, Redis)
    events = [event(job) for job in range(4_500)]
    obstacle = event("obstacle", project_id="project-63")
    key = f"{project_prefix('project-63')}n:42:0"
    await store.client.hset(key, "a", "b")
    with pytest.raises(Exception, match="WRONGTYPE"):
        await store.apply([*events, obstacle], watermark_ms=9)
    assert (await store.writer.read_heads())[STRIPE].progress == (Progress(0, 0),)
    await store.client.delete(key)
    await store.apply([*events, obstacle], watermark_ms=9)
    assert (await store.writer.read_heads())[STRIPE].progress == (Progress(4_501, 9),)
    await assert_equals_oracle(store, [*events, obstacle], [*WHOLE, ("project-63", None, None, None)])


async def test_another_layout_is_neither_read_nor_written(store: Store) -> None:
    """A store of another layout version is left alone by writer and reader, whatever they remember of it."""
    assert isinstance(store.client, Redis)
    await store.apply([event(1)])
    assert (await store.body("project"))["total_running_num"] == 1
    for stripe in (0, STRIPE):
        await store.client.set(head_key(stripe), (LAYOUT_VERSION + 1).to_bytes(4, "little") + b"other")
    before = await everything(store.client)
    for attempt in (
        store.apply([event(2)]),
        store.writer.read_heads(),
        store.body("project"),
        RedisStatisticsStore(store.client).read("project", 0, 1, None),
        store.reader.ping(),
    ):
        with pytest.raises(LayoutError, match=f"layout version {LAYOUT_VERSION + 1}, this process knows"):
            await attempt
    assert await everything(store.client) == before


@pytest.mark.parametrize("damaged", [b"junk of somebody", b"junk", bytes(48), (1000).to_bytes(4, "little") + bytes(44)])
async def test_what_is_no_head_is_no_layout(store: Store, damaged: bytes) -> None:
    """Bytes of others in the place of a head end no process as a newer release's would; nothing is read or written."""
    assert isinstance(store.client, Redis)
    await store.apply([event(1)])
    await store.client.set(head_key(STRIPE), damaged)
    before = await everything(store.client)
    for attempt in (store.apply([event(2)]), store.writer.read_heads(), store.body("project")):
        with pytest.raises(StoreUnavailableError, match="head"):
            await attempt
    assert await everything(store.client) == before


async def test_layout_of_another_stripe_does_not_matter_to_a_batch(store: Store) -> None:
    """Each stripe is judged by its own head."""
    assert isinstance(store.client, Redis)
    await store.client.set(head_key(STRIPE - 1), (LAYOUT_VERSION + 1).to_bytes(4, "little") + bytes(4))
    assert (await StoreWriter(store.client).apply(1, store.batches([event(1)]))).changed == 1
