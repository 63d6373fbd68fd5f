"""The ledger of gaps: what was never read is taken down in the call that moves a stripe past it."""

import pytest
from redis.asyncio import Redis

from service.store.errors import FencedError, StoreUnavailableError
from service.store.layout.gaps import Gap, GapReason
from service.store.layout.heads import Progress
from service.store.layout.keys import gaps_key, stripe_of
from service.store.write.gaps import read_gaps
from service.store.write.writer import Step, StripeBatch
from tests.store.support import Store, event, everything

STRIPE = stripe_of("project")


async def skip(store: Store, at: int, *gaps: Gap) -> None:
    """Moves the stripe past gaps of partition 0 or 1, from where it is: `at` in partition 0."""
    steps = [Step(0, at, max([gap.to_offset for gap in gaps if gap.partition == 0], default=at), 0)]
    await store.writer.apply(2, [StripeBatch(STRIPE, steps, gaps=gaps)])


async def ledger(store: Store) -> list[Gap]:
    """The stripe's rows; its head must count them."""
    heads = await store.writer.read_heads()
    rows = (await read_gaps(store.client, heads)).get(STRIPE, [])
    assert heads[STRIPE].gaps == len(rows)
    return rows


async def test_gap_is_recorded_with_the_step_past_it(store: Store) -> None:
    """The head moves, counts the row, and no other stripe has one."""
    gap = Gap(0, 0, 7, 1_000)
    await skip(store, 0, gap)
    assert await ledger(store) == [gap]
    heads = await store.writer.read_heads()
    assert heads[STRIPE].progress[0] == Progress(7, 0)
    assert [stripe for stripe, head in enumerate(heads) if head.gaps] == [STRIPE]


async def test_fenced_step_records_no_gap(store: Store) -> None:
    """A stripe that is elsewhere has not lost what the writer believes."""
    await skip(store, 0, Gap(0, 0, 7, 1_000))
    before = await everything(store.client)
    with pytest.raises(FencedError):
        await skip(store, 0, Gap(0, 0, 9, 2_000))
    assert await everything(store.client) == before


async def test_later_steps_keep_the_ledger(store: Store) -> None:
    """A batch without a gap leaves rows and their number as they are."""
    await skip(store, 0, Gap(0, 0, 7, 1_000))
    await store.writer.apply(2, [StripeBatch(STRIPE, [Step(0, 7, 8, 5)], store.batches([event()])[0].projects)])
    assert await ledger(store) == [Gap(0, 0, 7, 1_000)]


async def test_adjoining_gaps_are_one_row(store: Store) -> None:
    """A gap that begins where the last of its partition ends makes it longer; any other is a row of its own."""
    await skip(store, 0, Gap(0, 0, 7, 1_000), Gap(1, 7, 8, 1_000))
    await skip(store, 7, Gap(0, 7, 9, 2_000))
    await skip(store, 9, Gap(0, 10, 12, 3_000))
    assert await ledger(store) == [Gap(0, 0, 9, 2_000), Gap(1, 7, 8, 1_000), Gap(0, 10, 12, 3_000)]


async def test_full_ledger_widens_its_last_row_and_says_so(store: Store) -> None:
    """Its length is bounded; what no row is left for is inside a range of which some was read."""
    await skip(store, 0, *[Gap(0, 10 * number, 10 * number + 5, 1_000) for number in range(256)])
    assert len(await ledger(store)) == 256
    await skip(store, 2_555, Gap(0, 3_000, 3_001, 2_000), Gap(1, 0, 1, 2_000))
    rows = await ledger(store)
    assert rows[-3:] == [
        Gap(0, 2_540, 2_545, 1_000),
        Gap(0, 2_550, 3_001, 2_000, GapReason.SEVERAL),
        Gap(1, 0, 1, 2_000),
    ]


async def test_large_batch_records_its_gap_once(store: Store) -> None:
    """Only the call that moves the offsets records it, however many calls a batch takes."""
    [batch] = store.batches([event(job) for job in range(4_500)])
    await store.writer.apply(1, [StripeBatch(STRIPE, [Step(0, 0, 9, 0)], batch.projects, gaps=[Gap(0, 0, 4, 1)])])
    assert await ledger(store) == [Gap(0, 0, 4, 1)]


async def test_ledger_of_a_wrong_type_writes_nothing(store: Store) -> None:
    """A gap that cannot be taken down is not passed."""
    assert isinstance(store.client, Redis)
    await store.client.xadd(gaps_key(STRIPE, 0), {"a": "b"})
    before = await everything(store.client)
    with pytest.raises(StoreUnavailableError, match="WRONGTYPE"):
        await skip(store, 0, Gap(0, 0, 7, 1_000))
    assert await everything(store.client) == before
