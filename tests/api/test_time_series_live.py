"""Time series over a Redis with jobs: each point is a recount, and all of them are the range, also as events come."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from redis.asyncio import Redis

from gene_statistics import StatisticsClient
from service.calendar import Interval
from service.events.event import JobStatus
from tests.api.support import PATH, PROJECT, Api, FakeStore, as_caller, served, token
from tests.oracle import Oracle
from tests.store.support import Event, Store, event

SERIES = f"{PATH}/timeseries"
JOBS = 300
SIZE_BYTES = 2**53 - 1
DAY_MS = 86_400_000
FROM_MS = int(datetime(2024, 10, 20, tzinfo=UTC).timestamp()) * 1000  # clocks are put back on 27 October and 3 November
TO_MS = FROM_MS + 21 * DAY_MS
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"]
NAMES = ["ann", "bob", "=cmd", "ann"]


@dataclass
class Jobs:
    """Jobs that change all the time, what was published of them, and the store that has them."""

    store: Store
    rnd: Random = field(default_factory=lambda: Random(7))
    events: list[Event] = field(default_factory=list)

    async def change(self, jobs: list[int]) -> None:
        """Gives these jobs another status and another start."""
        batch = [self._event(job) for job in jobs]
        self.events += batch
        await self.store.apply(batch)

    def _event(self, job: int) -> Event:
        user = job % len(NAMES)
        return event(
            job,
            project_id=PROJECT,
            user_id=f"user-{user}",
            user_name=NAMES[user],
            status=self.rnd.choice(list(JobStatus)),
            event_time_ms=len(self.events) + job,
            sequence=len(self.events) + 1,
            start_time_ms=self.rnd.randrange(FROM_MS, TO_MS),
            input_size_bytes=SIZE_BYTES,
        )


@dataclass
class Live:
    """An API over a Redis, and the jobs in it."""

    api: Api
    jobs: Jobs

    async def ask(self, path: str, accept: str = "application/json", /, **query: object) -> bytes:
        """The body of an answer to an administrator."""
        url = f"{path}?{urlencode(query)}"
        async with self.api.client.get(url, headers={**as_caller(), "Accept": accept}) as response:
            assert response.status == 200
            return await response.read()

    async def series(self, **query: object) -> dict[str, Any]:
        """A time series of the whole range."""
        body: dict[str, Any] = json.loads(
            await self.ask(SERIES, "application/json", **{"start": FROM_MS, "end": TO_MS, **query})
        )
        return body


@pytest.fixture
async def live(redis_flushed: str) -> AsyncIterator[Live]:
    """An API over a Redis with jobs of four users, two of which share a name."""
    async with Redis.from_url(redis_flushed) as client:
        jobs = Jobs(Store(client))
        await jobs.change(list(range(JOBS)))
        async with served(cast(FakeStore, jobs.store.reader)) as api:
            yield Live(api, jobs)


def added(points: list[dict[str, Any]]) -> dict[str, int]:
    """What all points count together, under the names that the statistics have for it."""
    names = [name for name in points[0] if name not in {"start", "end", "is_partial"}]
    return {f"total_{name}": sum(point[name] for point in points) for name in names}


@pytest.mark.parametrize("zone", ZONES)
async def test_each_point_is_a_recount(live: Live, zone: str) -> None:
    """In any zone and by any interval, of all users and of those with a name."""
    oracle = Oracle(live.jobs.events)
    for interval in ("15m", "1h", "6h", "1d", "1w", "1M"):
        for user_name in (None, "ann", "nobody"):
            start_ms = live.jobs.rnd.randrange(FROM_MS, TO_MS - DAY_MS)
            end_ms = live.jobs.rnd.randrange(start_ms + 1, start_ms + DAY_MS * 2 if interval == "15m" else TO_MS)
            named = {} if user_name is None else {"user_name": user_name}
            query = {"start": start_ms, "end": end_ms, "interval": interval, "time_zone": zone, **named}
            points = (await live.series(**query))["points"]
            borders = [point["start"] for point in points] + [points[-1]["end"]]
            assert [point["end"] for point in points] == borders[1:]
            assert (borders[0], borders[-1]) == (start_ms, end_ms)
            counted = [{name: point[name] for name in point if name.endswith(("_num", "_size"))} for point in points]
            assert counted == oracle.series(PROJECT, borders, None, user_name)


async def test_points_are_the_range_while_events_come(live: Live) -> None:
    """Jobs change their status and their point all the time: each is in one point, in one status, in every answer."""
    done = asyncio.Event()

    async def publish() -> None:
        while not done.is_set():
            await live.jobs.change(live.jobs.rnd.sample(range(JOBS), 20))

    publishing = asyncio.create_task(publish())
    try:
        answers = [await live.series(interval=interval, time_zone="Europe/Berlin") for interval in ["1h", "1d"] * 15]
    finally:
        done.set()
        await publishing
    assert len({json.dumps(answer["points"]) for answer in answers}) > 2
    for answer in answers:
        sums = added(answer["points"])
        assert sums.pop("total_input_size") == JOBS * SIZE_BYTES
        assert sum(sums.values()) == JOBS
    whole = json.loads(await live.ask(PATH, start=FROM_MS, end=TO_MS))
    assert added((await live.series(interval="6h"))["points"]).items() <= whole.items()


async def test_csv_has_the_numbers_of_json(live: Live) -> None:
    """Both resources, sizes beyond what a double holds, and a name that would be a formula."""
    users = json.loads(await live.ask(PATH))["users"]
    text = (await live.ask(PATH, "text/csv")).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert {row["user_name"] for row in rows} == {"ann", "bob", "'=cmd"}
    restored = [{**row, "user_name": row["user_name"].removeprefix("'")} for row in rows]
    assert restored == [{name: str(value) for name, value in user.items()} for user in users]
    points = (await live.series(interval="1d"))["points"]
    text = (await live.ask(SERIES, "text/csv", start=FROM_MS, end=TO_MS, interval="1d")).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert rows == [{name: json.dumps(value) for name, value in point.items()} for point in points]


@pytest.mark.parametrize("interval", ["1d", None])
async def test_library_reads_it(live: Live, interval: Interval | None) -> None:
    """The client library asks with datetimes, and has points with datetimes and exact numbers."""
    start, end = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (FROM_MS, TO_MS))
    async with StatisticsClient(f"http://127.0.0.1:{live.api.port}", token()) as client:
        series = await client.time_series(
            PROJECT, start=start, end=end, interval=interval, time_zone="Europe/Berlin", user_name="bob"
        )
        assert (series.interval, series.time_zone) == (interval or "6h", "Europe/Berlin")
        assert (series.points[0].start, series.points[-1].end) == (start, end)
        assert series.points[0].is_partial
        assert not series.points[1].is_partial
        bob = [user for user in (await client.statistics(PROJECT)).users or [] if user.user_name == "bob"]
        assert sum(point.input_size for point in series.points) == bob[0].input_size
        assert sum(point.finished_num for point in series.points) == bob[0].finished_num
        assert (series.horizon_ms, series.gaps) == (None, 0)
