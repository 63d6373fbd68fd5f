"""Series of a store that is damaged, has a horizon, was built anew, is on a cluster, or changes all the time."""

from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from redis.asyncio import Redis

from service.events.event import MAX_MS, JobStatus
from service.store.errors import LayoutError, StoreUnavailableError
from service.store.generations import Generations
from service.store.layout.heads import LAYOUT_VERSION, Head, pack_head
from service.store.layout.projects import LISTED_LEAF, Meta, pack_meta, parse_shape, user_key
from service.store.read import series as reading
from service.store.read.reader import RedisStatisticsStore
from tests.oracle import Oracle
from tests.store.damages import (
    ALONE_MS,
    EVENTS,
    FAR_MS,
    LEAF,
    META,
    NAMES,
    PREFIX,
    SHAPE,
    TIMES,
    TOP_NODE,
    make_project,
)
from tests.store.series import SeriesQuery, make_borders, read_points
from tests.store.support import NOON_MS, Store, event, everything, stored
from tests.store.test_cluster import cluster_store
from tests.store.test_damage import DAMAGES, HEAD, Damage, delete, put_back, retype
from tests.store.test_generations import EVENTS as OF_GENERATIONS
from tests.store.test_generations import build
from tests.store.test_retention import DAY_MS, days, move_horizon, sweep_all

__all__ = ["cluster_store"]

BORDERS = [0, NOON_MS, NOON_MS + 1, NOON_MS + 2, ALONE_MS, ALONE_MS + 1, FAR_MS, FAR_MS + 1, MAX_MS + 1]
QUERIES: list[SeriesQuery] = [
    ("project", borders, *whose)
    for borders in (BORDERS, BORDERS[:2], BORDERS[2:4], BORDERS[3:6], BORDERS[5:])
    for whose in ((None, None), ("user0", None), (None, "name"))
]


async def series_of(
    reader: RedisStatisticsStore, queries: Sequence[SeriesQuery] = QUERIES
) -> list[tuple[SeriesQuery, list[dict[str, int]]]]:
    """The series that there are; any error but the contract's ends the test."""
    found = []
    for query in queries:
        try:
            found.append((query, await read_points(reader, query)))
        except (StoreUnavailableError, LayoutError):
            continue
    return found


@pytest.fixture
async def project(store: Store) -> Redis:
    """A project with every kind of node."""
    return await make_project(store)


@pytest.mark.parametrize("damage", ["delete", "retype", "truncate", "grow", "scramble 0", "scramble 1"])
async def test_any_damaged_key_leaves_a_series_or_none(project: Redis, damage: str) -> None:
    """Each key that a series is read from in turn, for a reader that knows the project."""
    before = await everything(project)
    for key in sorted(key for key in before if b":j:" not in key):
        knows = RedisStatisticsStore(project)
        await series_of(knows, QUERIES[:1])
        await DAMAGES[damage](project, key)
        await series_of(knows, QUERIES[:3])
        await put_back(project, key, before[key])


@pytest.mark.parametrize("damage", [delete, retype])
async def test_missing_node_of_the_shape_is_never_a_number(project: Redis, damage: Damage) -> None:
    """Without a node that the shape names, what it would be read for has no answer; all else is as before."""
    before, oracle = await everything(project), Oracle(EVENTS)
    expected = [(query, oracle.series(*query)) for query in QUERIES]
    assert await series_of(RedisStatisticsStore(project)) == expected
    missing = 0
    for level, index in parse_shape(await stored(project, SHAPE)):
        key = f"{PREFIX}n:{level % LISTED_LEAF}:{index}".encode()
        await damage(project, key)
        found = await series_of(RedisStatisticsStore(project))
        assert [each for each in found if each not in expected] == []
        missing += len(QUERIES) - len(found)
        await put_back(project, key, before[key])
    assert missing > len(QUERIES)


async def of_another_layout(client: Redis) -> None:
    await client.set(HEAD, pack_head(Head(LAYOUT_VERSION + 1, ())))


async def unfinished(client: Redis) -> None:
    await client.set(META, pack_meta(Meta(bytes(8), bytes(8), bytes(8), 1, 1, 1)))


async def without_meta(client: Redis) -> None:
    await client.delete(META)


async def without_names(client: Redis) -> None:
    await client.delete(NAMES)


async def without_namings(client: Redis) -> None:
    await client.delete(TIMES)


async def inner_leaf(client: Redis) -> None:
    await client.set(LEAF, await stored(client, TOP_NODE))


@pytest.mark.parametrize(
    ("spoil", "whose", "reason"),
    [
        (of_another_layout, (None, None), "layout"),
        (unfinished, (None, None), "unfinished"),
        (without_meta, (None, None), "damaged"),
        (without_names, ("user0", None), "damaged"),
        (without_names, (None, "name"), "damaged"),
        (without_namings, (None, "name"), "damaged"),
        (inner_leaf, (None, None), "damaged"),
    ],
)
async def test_reason_why_there_is_no_series(
    project: Redis, spoil: Callable[[Redis], Awaitable[None]], whose: tuple[str | None, str | None], reason: str
) -> None:
    """The error says what it is, as that of statistics does."""
    await spoil(project)
    with pytest.raises((StoreUnavailableError, LayoutError)) as raised:
        await RedisStatisticsStore(project).series("project", [0, ALONE_MS, ALONE_MS + 1, MAX_MS + 1], *whose)
    assert getattr(raised.value, "reason", None) == reason


async def test_user_whose_key_is_another_users_sees_nothing(project: Redis) -> None:
    """The id under a key decides whose jobs they are."""
    reader = RedisStatisticsStore(project, key_of_user=lambda _: user_key("user0"))
    query = "project", BORDERS, "stranger", None
    assert await read_points(reader, query) == Oracle(EVENTS).series(*query)
    assert (await reader.series("project", BORDERS, "user0", None)).size_bytes[1:3] != [0, 0]


@pytest.mark.parametrize("is_swept", [False, True])
async def test_jobs_before_the_horizon_do_not_count(store: Store, is_swept: bool) -> None:
    """Intervals before the horizon are zeros, the one that it lies in counts from it on; swept or not."""
    events, rnd = days(30, 40), Random(4)
    await store.apply(events)
    for horizon_ms in (0, 1, DAY_MS, 9 * DAY_MS + 12_345_678, 40 * DAY_MS):
        await move_horizon(store, horizon_ms)
        if is_swept:
            assert isinstance(store.client, Redis)
            await sweep_all(store.client)
        oracle = Oracle([each for each in events if each.start_time_ms >= horizon_ms])
        for borders in ([horizon_ms, horizon_ms + 1], *(make_borders(rnd, events) for _ in range(9))):
            query = "project", borders, None, None
            assert (query, await read_points(store.reader, query)) == (query, oracle.series(*query))
        assert (await store.reader.series("project", [0, 1], None, None)).horizon_ms == horizon_ms


async def test_generation_that_takes_the_place_of_the_live_one(client: Redis, store: Store) -> None:
    """Series follow the head to the keys of another generation."""
    query: SeriesQuery = ("project", [0, 3, 200, MAX_MS + 1], None, "name")
    assert await read_points(store.reader, query) == Oracle([]).series(*query)
    generations = Generations(client)
    building = await build(client, store, generations)
    await generations.swap(building)
    assert await read_points(store.reader, query) == Oracle(OF_GENERATIONS).series(*query)


class Changing:
    """A client under whose reads of nodes the project changes: it gets another job right before each MGET."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.jobs = 0
        self.mgets: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store.client, name)

    async def mget(self, keys: list[str]) -> Any:
        """Reads strings, after one more job has come."""
        await self._store.apply([event(f"more {self.jobs}", start_time_ms=0)])
        self.jobs += 1
        self.mgets.append(len(keys))
        return await self._store.client.mget(keys)


async def test_pieces_of_a_project_that_changes_all_the_time(store: Store) -> None:
    """Where no two reads are of one state, all is read at once; what is too much for that has no answer."""
    await store.apply([event(job, start_time_ms=job * 1_000) for job in range(1_000)])
    changing, borders = Changing(store), list(range(0, 1_000_001, 5_000))
    reader = RedisStatisticsStore(changing)  # type: ignore[arg-type]
    with patch.object(reading, "_PIECE_KEYS", 10):
        series = await reader.series("project", borders, None, None)
        assert sum(series.jobs[JobStatus.RUNNING]) == 1_000 + changing.jobs
        assert series.jobs[JobStatus.RUNNING][1:] == [5] * 199
        assert changing.mgets[-1] > 20
        with patch.object(reading, "_MANY_KEYS", 10), pytest.raises(StoreUnavailableError) as raised:
            await reader.series("project", borders, None, None)
    assert raised.value.reason == "changed"


async def test_a_series_that_takes_too_long_is_an_outage(store: Store) -> None:
    """One that waits for others counts the time; those of few keys do not wait."""
    await store.apply([event(job, start_time_ms=job * 1_000) for job in range(1_000)])
    borders = list(range(0, 1_000_001, 5_000))
    await store.reader.series("project", borders, None, None)
    async with store.reader._series._turns.of("other"):
        with (
            patch.object(reading, "_PIECE_KEYS", 10),
            patch.object(reading, "SERIES_SECONDS", 0.01),
            pytest.raises(StoreUnavailableError, match=r"reading a series: .*no answer within 0\.01 s") as raised,
        ):
            await store.reader.series("project", borders, None, None)
        assert raised.value.reason == "away"
        assert (await store.reader.series("project", [0, 1], None, None)).jobs[JobStatus.RUNNING] == [1]


@pytest.mark.parametrize("key_prefix", ["other:"])
async def test_series_on_a_cluster(cluster_store: Store) -> None:
    """The same on a cluster, in one piece and in many."""
    events = [event(f"{n}", start_time_ms=NOON_MS + n % 999, user_id=f"user{n % 9}") for n in range(2_500)]
    await cluster_store.apply(events)
    oracle, rnd = Oracle(events), Random(6)
    for piece_keys in (10, 1_000):
        with patch.object(reading, "_PIECE_KEYS", piece_keys):
            for whose in ((None, None), ("user3", None), (None, "name")):
                query = "project", make_borders(rnd, events), *whose
                assert await read_points(cluster_store.reader, query) == oracle.series(*query)
