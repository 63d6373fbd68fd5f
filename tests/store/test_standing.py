"""How a project stands: what a stream looks at, four times a second, to know whether its answers still hold."""

import pytest
from redis.asyncio import Redis

from service.store.contract import Standing
from service.store.errors import LayoutError, StoreUnavailableError
from service.store.layout.heads import LAYOUT_VERSION
from service.store.layout.keys import head_key, project_prefix, stripe_of
from service.store.read.reader import RedisStatisticsStore
from tests.store.interposed import Interposed
from tests.store.support import NOON_MS, Store, event

QUESTION = ("project", None, None, None)


async def test_the_stamp_changes_with_each_write_and_with_nothing_else(store: Store) -> None:
    """It is that of the answers, to whichever question; other projects' writes leave it, and so does a batch alone."""
    nothing = await store.reader.standing("project")
    assert (await store.reader.read(*QUESTION)).stamp == nothing.stamp
    await store.apply([event(0)], watermark_ms=NOON_MS)
    first = await store.reader.standing("project")
    assert first.stamp != nothing.stamp
    for start, user in ((None, None), (5, None), (None, "user"), (5, "user")):
        assert (await store.reader.read("project", start, None, user)).stamp == first.stamp
    await store.apply([event(0)], watermark_ms=NOON_MS + 5)  # a duplicate: nothing changes but the as-of
    assert await store.reader.standing("project") == Standing(first.stamp, NOON_MS + 5)
    await store.apply([event(1, project_id="other")])
    assert (await store.reader.standing("project")).stamp == first.stamp
    await store.apply([event(1)])
    second = await store.reader.standing("project")
    assert second.stamp != first.stamp
    assert await RedisStatisticsStore(store.client).standing("project") == second


async def test_a_look_is_one_command(store: Store) -> None:
    """However large the project is."""
    assert isinstance(store.client, Redis)
    await store.apply([event(job, start_time_ms=NOON_MS + job * 86_400_000) for job in range(300)])
    between = Interposed(store.client)
    reader = RedisStatisticsStore(between)  # type: ignore[arg-type]
    for _ in range(3):
        await reader.standing("project")
    assert (len(between.keys), between.fetched) == (3, [])


async def test_what_is_damaged_or_of_another_layout_has_no_standing(store: Store) -> None:
    """It is an error as of a question."""
    await store.apply([event(0)])
    await store.client.set(f"{project_prefix('project', 0)}m", b"damaged")
    with pytest.raises(StoreUnavailableError, match="damaged"):
        await store.reader.standing("project")
    another_layout = (LAYOUT_VERSION + 1).to_bytes(4, "little") + bytes(60)
    await store.client.set(head_key(stripe_of("project")), another_layout)
    with pytest.raises(LayoutError):
        await store.reader.standing("project")
