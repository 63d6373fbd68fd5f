"""Redis that is full, forgets its scripts, or answers too late: a batch is applied wholly and once, or not at all."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis, RedisCluster

from service.store.errors import FencedError, StoreUnavailableError
from service.store.layout.keys import head_key, stripe_of
from service.store.read.client import create_reader_client
from service.store.read.reader import RedisStatisticsStore
from service.store.redis.client import create_writer_client
from tests.store.proxy import Proxy, Replies, running_proxy
from tests.store.support import Event, Query, Store, assert_equals_oracle, assert_no_drift, event, everything

WHOLE: list[Query] = [("project", None, None, None)]


@pytest.fixture
async def full(client: Redis) -> AsyncIterator[Redis]:
    """A client to a Redis whose limit of memory a test may set; lifted in the end."""
    yield client
    await client.config_set("maxmemory", 0)


@pytest.fixture
async def proxy(redis_flushed: str) -> AsyncIterator[Proxy]:
    """A proxy in front of the empty Redis."""
    async with running_proxy(redis_flushed) as proxy:
        yield proxy


@pytest.fixture
async def far_store(proxy: Proxy) -> AsyncIterator[Store]:
    """A store behind the proxy, by a writer's client that waits a fifth of a second for a reply."""
    client = create_writer_client(proxy.url, cluster=False, timeout_seconds=0.2)
    assert isinstance(client, Redis)
    yield Store(client)
    await client.aclose(close_connection_pool=True)


async def script_runs(client: Redis) -> int:
    """How often Redis has run a script, by whatever command."""
    statistics = await client.info("commandstats")
    return sum(int(statistics.get(f"cmdstat_{name}", {"calls": 0})["calls"]) for name in ("eval", "evalsha"))


async def test_full_redis_writes_nothing_and_recovers(full: Redis, store: Store) -> None:
    """Where memory is used up a batch fails before its first write; with memory again the same batch goes through.

    Meanwhile questions are answered, also by a reader that has to learn everything first.
    """
    await store.apply([event(1)])
    before = await everything(full)
    await full.config_set("maxmemory", 1)
    with pytest.raises(StoreUnavailableError, match="maxmemory"):
        await store.apply([event(2), event(3, user_id="other")])
    store.reader = RedisStatisticsStore(full)
    await assert_equals_oracle(store, [event(1)], WHOLE)
    await full.config_set("maxmemory", 0)
    assert await everything(full) == before
    await store.apply([event(2), event(3, user_id="other")])
    await assert_equals_oracle(store, [event(1), event(2), event(3, user_id="other")], WHOLE)


async def test_redis_that_fills_up_leaves_no_batch_half_written(full: Redis, store: Store) -> None:
    """When the limit is reached between two batches or within one, each batch is there wholly or not at all."""
    applied: list[Event] = [event("first")]
    await store.apply(applied)
    await full.config_set("maxmemory", (await full.info("memory"))["used_memory"] + 2_000_000)

    async def fill() -> None:
        for number in range(1_000):
            batch = [event(f"{number}-{job}", user_id=f"user{job}", start_time_ms=number) for job in range(300)]
            await store.apply(batch)
            applied.extend(batch)

    with pytest.raises(StoreUnavailableError, match="maxmemory"):
        await fill()
    await full.config_set("maxmemory", 0)
    assert len(applied) > 300
    await assert_equals_oracle(store, applied, [*WHOLE, ("project", 1, 3, None)])
    await assert_no_drift(full, applied)


async def test_scripts_flushed_between_batches(client: Redis, store: Store) -> None:
    """A Redis that has forgotten the script is taught it again, once, and nothing is lost or doubled."""
    events = [event(job, project_id=f"project-{job}") for job in range(10)]
    for each in events:
        await store.apply([each])
        await client.script_flush()
    assert await store.apply(events) == 0
    runs = await script_runs(client)
    await store.apply(events)
    assert await script_runs(client) - runs == len({stripe_of(each.project_id) for each in events})
    await assert_equals_oracle(store, events, [(each.project_id, None, None, None) for each in events])


async def test_head_of_a_wrong_type_writes_nothing(client: Redis, store: Store) -> None:
    """A stripe whose head cannot be read cannot be fenced."""
    await client.xadd(head_key(stripe_of("project")), {"a": "b"})
    before = await everything(client)
    with pytest.raises(StoreUnavailableError, match="WRONGTYPE"):
        await store.apply([event()])
    assert await everything(client) == before


@pytest.mark.parametrize("replies", [Replies.KEEP, Replies.CUT])
async def test_batch_whose_reply_is_lost_is_applied_once(
    client: Redis, proxy: Proxy, far_store: Store, replies: Replies
) -> None:
    """The writer says that it does not know; the batch counts once, and to send it again is refused by the fence."""
    events = [event(job, user_id=f"user{job % 3}") for job in range(20)]
    await far_store.apply(events[:5])
    batches = far_store.batches(events[5:])
    runs = await script_runs(client)
    proxy.replies = replies
    with pytest.raises(StoreUnavailableError):
        await far_store.writer.apply(1, batches)
    await proxy.withheld.wait()
    assert await script_runs(client) - runs == 1
    proxy.replies = Replies.PASS
    with pytest.raises(FencedError):
        await far_store.writer.apply(1, batches)
    head = (await far_store.writer.read_heads())[batches[0].stripe]
    assert head.progress[0].next_offset == len(events)
    await assert_equals_oracle(Store(client), events, WHOLE)
    await assert_no_drift(client, events)


@pytest.mark.parametrize("replies", [Replies.KEEP, Replies.CUT])
async def test_reader_without_reply_says_unavailable(client: Redis, proxy: Proxy, replies: Replies) -> None:
    """A read that gets no answer fails as the contract says, and works again afterwards."""
    await Store(client).apply([event()])
    reader_client = create_reader_client(proxy.url, cluster=False, limit_seconds=0.2)
    assert isinstance(reader_client, Redis)
    store = Store(reader_client)
    proxy.replies = replies
    for attempt in (store.body("project"), store.reader.ping()):
        with pytest.raises(StoreUnavailableError):
            await attempt
    proxy.replies = Replies.PASS
    await assert_equals_oracle(store, [event()], WHOLE)
    await reader_client.aclose(close_connection_pool=True)


async def test_cluster_writer_whose_reply_is_lost_applies_once(redis_cluster_url: str) -> None:
    """The same on a cluster, whose client has a policy of repeating of its own."""
    async with Redis.from_url(redis_cluster_url) as admin, running_proxy(redis_cluster_url) as proxy:
        await admin.flushall()
        await admin.config_set("cluster-announce-port", urlsplit(proxy.url).port or 0)
        cluster = create_writer_client(proxy.url, cluster=True, timeout_seconds=0.2)
        store = Store(cluster)
        await store.apply([event(1)])
        batches = store.batches([event(2)])
        runs = await script_runs(admin)
        proxy.replies = Replies.KEEP
        with pytest.raises(StoreUnavailableError):
            await store.writer.apply(1, batches)
        await proxy.withheld.wait()
        proxy.replies = Replies.PASS
        assert await script_runs(admin) - runs == 1
        with pytest.raises(FencedError):
            await store.writer.apply(1, batches)
        await cluster.aclose()
        await admin.config_set("cluster-announce-port", 0)


async def test_writer_clients_never_repeat_a_command(redis_url: str, redis_cluster_url: str) -> None:
    """Both kinds of writer client are made with no retries at all."""
    single = create_writer_client(redis_url, cluster=False)
    cluster = create_writer_client(redis_cluster_url, cluster=True)
    assert isinstance(single, Redis)
    assert isinstance(cluster, RedisCluster)
    assert single.connection_pool.connection_kwargs["retry"].get_retries() == 0
    assert cluster.retry.get_retries() == 0


@pytest.mark.parametrize("create", [create_writer_client, create_reader_client])
async def test_closed_client_has_no_connections(client: Redis, redis_flushed: str, create: object) -> None:
    """To close a client closes its connections."""
    other = create(redis_flushed, cluster=False)  # type: ignore[operator]
    number = await other.client_id()
    await other.aclose()
    await client.ping()
    left = {int(each["id"]) for each in await client.client_list()}
    await other.connection_pool.disconnect()
    assert number not in left
