"""How fresh answers are in all: what readiness and metrics tell of a store."""

import pytest
from redis.asyncio import Redis

from service.store.contract import Freshness
from service.store.errors import LayoutError, StoreUnavailableError
from service.store.layout.heads import LAYOUT_VERSION
from service.store.layout.keys import STRIPES, head_key
from service.store.read.client import create_reader_client
from service.store.read.reader import RedisStatisticsStore
from service.store.write.writer import Step, StripeBatch
from tests.store.support import Store

PRESENT_MS = 1_000


def reader_of(store: Store) -> RedisStatisticsStore:
    """A reader in the first second of time."""
    return RedisStatisticsStore(store.client, now_ms=lambda: PRESENT_MS)


async def move(store: Store, watermarks_ms: dict[int, int]) -> None:
    """Moves these stripes to these watermarks."""
    await store.writer.apply(1, [StripeBatch(each, [Step(0, 0, 1, ms)]) for each, ms in watermarks_ms.items()])


async def test_store_that_nobody_has_written_has_no_as_of(store: Store) -> None:
    """An empty Redis is told by the newest as-of; one stripe that was written is enough to be none."""
    assert await reader_of(store).freshness() == Freshness(0, 0)
    await move(store, {7: 100})
    assert await reader_of(store).freshness() == Freshness(0, 100)


async def test_as_of_is_that_of_the_stripes(store: Store) -> None:
    """The oldest and the newest stripe count, and none is later than the present."""
    await move(store, {stripe: 100 + stripe for stripe in range(STRIPES)})
    assert await reader_of(store).freshness() == Freshness(100, 100 + STRIPES - 1)
    ahead = RedisStatisticsStore(store.client, now_ms=lambda: 120)
    assert await ahead.freshness() == Freshness(100, 120)
    behind = RedisStatisticsStore(store.client, now_ms=lambda: 50)
    assert await behind.freshness() == Freshness(50, 50)


@pytest.mark.parametrize("damage", ["bytes", "type"])
async def test_damaged_head_has_no_as_of(store: Store, damage: str) -> None:
    """One stripe's head in disorder does not hide the others."""
    await move(store, dict.fromkeys(range(STRIPES), 100))
    await store.client.delete(head_key(3))
    await (store.client.set(head_key(3), b"\x03") if damage == "bytes" else store.client.sadd(head_key(3), "x"))
    assert await reader_of(store).freshness() == Freshness(0, 100)


async def test_another_layout_is_not_read(store: Store) -> None:
    """A head of another version says so."""
    await store.client.set(head_key(5), (LAYOUT_VERSION + 1).to_bytes(4, "little") + bytes(60))
    with pytest.raises(LayoutError):
        await reader_of(store).freshness()


async def test_store_away_is_unavailable(unused_tcp_port: int) -> None:
    """Without Redis nothing is known."""
    client = create_reader_client(f"redis://127.0.0.1:{unused_tcp_port}/0", cluster=False)
    with pytest.raises(StoreUnavailableError):
        await RedisStatisticsStore(client).freshness()
    await client.aclose()


async def test_cluster_has_an_as_of(any_cluster_url: str) -> None:
    """The stripes of all primaries count."""
    client = create_reader_client(any_cluster_url, cluster=True)
    assert not isinstance(client, Redis)
    assert await RedisStatisticsStore(client).freshness() == Freshness(0, 0)
    await client.aclose()
