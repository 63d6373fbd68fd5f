"""Claims: stripes learn how fresh they are without being moved, and never more than is so."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from service.store.layout.heads import Claim, Head, pack_partitions, parse_claims
from service.store.layout.keys import STRIPES, claims_key
from service.store.write.writer import Step, StoreWriter, StripeBatch
from tests.store.support import Client, Store, event, everything, stripe_as_of_ms

STRIPE = 7


async def begin(store: Store, partitions: int, watermark_ms: int = 5) -> dict[int, bytes]:
    """Moves all stripes to offset 1 of each partition; the ids of these moves."""
    steps = [Step(partition, 0, 1, watermark_ms) for partition in range(partitions)]
    return dict((await store.writer.apply(partitions, [StripeBatch(s, steps) for s in range(STRIPES)])).moved_ids)


def claim(watermark_ms: int, *partitions: int) -> Claim:
    """A claim of these partitions."""
    return Claim(watermark_ms, pack_partitions(partitions))


async def test_a_claim_of_all_partitions_is_the_as_of(store: Store) -> None:
    """One claim raises the as-of of every stripe, moves no head, and is replaced by a later one in place."""
    moved_ids = await begin(store, 3)
    before = await store.writer.read_heads()
    for watermark_ms in (100, 200):
        assert await store.writer.claim(3, claim(watermark_ms, 0, 1, 2), moved_ids, 0) == []
        assert {await stripe_as_of_ms(store.client, stripe) for stripe in range(STRIPES)} == {watermark_ms}
        assert (await store.reader.read("project", None, None, None)).as_of_ms == watermark_ms
    assert await store.writer.read_heads() == before


async def test_a_claim_never_goes_back_but_from_the_future(store: Store) -> None:
    """A lower one changes nothing; one that is later than the present is taken down to it."""
    moved_ids = await begin(store, 1)
    for watermark_ms, now_ms, expected_ms in ((900, 0, 900), (100, 950, 900), (100, 500, 500), (100, 500, 500)):
        await store.writer.claim(1, claim(watermark_ms, 0), moved_ids, now_ms)
        assert await stripe_as_of_ms(store.client, STRIPE) == expected_ms


async def test_a_claim_of_some_partitions_waits_for_the_others(store: Store) -> None:
    """The least fresh partition is the as-of; claims of several consumers stand beside each other."""
    moved_ids = await begin(store, 10)
    await store.writer.claim(10, claim(300, *range(8)), moved_ids, 0)
    assert await stripe_as_of_ms(store.client, STRIPE) == 5
    await store.writer.claim(10, claim(200, 8, 9), moved_ids, 0)
    assert await stripe_as_of_ms(store.client, STRIPE) == 200


@pytest.mark.parametrize("moves", ["offset", "jobs", "generation", "emptied", "partitions"])
async def test_nothing_is_claimed_of_a_stripe_that_has_moved(store: Store, moves: str) -> None:
    """Whoever moved the head, the claimant is told, and what it says is not taken down there."""
    moved_ids = await begin(store, 1)
    if moves == "offset":
        await store.writer.apply(1, [StripeBatch(STRIPE, [Step(0, 1, 2, 0)])])
    elif moves == "jobs":
        projects = store.batches([event(project_id="g")])[0].projects
        await store.writer.apply(1, [StripeBatch(STRIPE, [Step(0, 1, 1, 0)], projects)])
    elif moves == "partitions":
        await store.writer.apply(2, [StripeBatch(STRIPE, [Step(0, 1, 1, 0)])])
    elif moves == "emptied":
        assert isinstance(store.client, Redis)
        await store.client.flushdb()
    else:
        moved_ids[STRIPE] = bytes(8)
    moved = await store.writer.claim(1, claim(100, 0), moved_ids, 0)
    assert moved == (list(range(STRIPES)) if moves == "emptied" else [STRIPE])
    assert parse_claims(await store.client.get(claims_key(STRIPE))) == []  # type: ignore[arg-type]


async def test_a_stripe_that_lacks_partitions_is_not_fresh(store: Store) -> None:
    """A topic that has got a partition holds what the head does not know of."""
    moved_ids = await begin(store, 1)
    assert await store.writer.claim(2, claim(100, 0), moved_ids, 0) == list(range(STRIPES))
    assert await stripe_as_of_ms(store.client, STRIPE) == 5


async def test_a_step_without_a_move_keeps_the_id(store: Store) -> None:
    """A watermark alone does not move a head: two consumers without events do not contradict each other."""
    moved_ids = await begin(store, 2)
    applied = await store.writer.apply(2, [StripeBatch(STRIPE, [Step(1, 1, 1, 700)])])
    assert applied.moved_ids[STRIPE] == moved_ids[STRIPE]
    assert await store.writer.claim(2, claim(600, 0), moved_ids, 0) == []
    assert await stripe_as_of_ms(store.client, STRIPE) == 600


async def test_an_idle_claim_writes_a_few_bytes_a_stripe(store: Store) -> None:
    """What it costs to do nothing does not depend on the number of partitions."""
    assert isinstance(store.client, Redis)
    moved_ids = await begin(store, 512)
    await store.writer.claim(512, claim(100, *range(512)), moved_ids, 0)
    before = (await store.client.info("stats"))["total_commands_processed"]
    sizes = {len(value) for key, value in (await everything(store.client)).items() if key.endswith(b"fresh")}  # type: ignore[arg-type]
    assert max(sizes) < 120
    for watermark_ms in (200, 300, 400):
        await store.writer.claim(512, claim(watermark_ms, *range(512)), moved_ids, 0)
    commands = (await store.client.info("stats"))["total_commands_processed"] - before
    assert commands < 3 * (STRIPES + 3) + 3 * STRIPES + 20


claims = st.lists(st.tuples(st.integers(1, 50), st.sets(st.integers(0, 11), min_size=1)), min_size=1, max_size=12)


@settings(max_examples=60)
@given(claims, st.integers(0, 2**32))
async def test_claims_are_the_latest_of_each_partition(
    client: Client, sequence: list[tuple[int, set[int]]], seed: int
) -> None:
    """Whoever owned what: of each partition the latest watermark holds, and no claim is kept that others cover."""
    await client.flushdb()
    store, latest = Store(client), dict.fromkeys(range(12), 5)
    moved_ids = {STRIPE: (await begin(store, 12))[STRIPE]}
    for watermark_ms, partitions in sequence:
        writer = store.writer if Random(seed).random() < 0.5 else StoreWriter(client)
        await writer.claim(12, claim(watermark_ms, *partitions), moved_ids, 0)
        latest |= {each: max(latest[each], watermark_ms) for each in partitions}
        assert await stripe_as_of_ms(client, STRIPE) == min(latest.values())
    data = await client.get(claims_key(STRIPE))
    assert len(parse_claims(data)) <= 12  # type: ignore[arg-type]
    assert isinstance((await store.writer.read_heads())[STRIPE], Head)
