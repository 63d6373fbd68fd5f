"""The time series resource: points, borders, parameters, who sees what, and that it adds up while events come in."""

import asyncio
import json
import threading
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from service.api.resources import time_series
from service.api.series_parameters import timeline
from service.api.turns import Turns
from service.calendar import Timeline
from tests.api.support import AS_OF_MS, BIG_SIZE_BYTES, PATH, PROJECT, Api, FakeStore, as_caller, served

SERIES = f"{PATH}/timeseries"
MAX_MS = 2**53 - 1
SHANGHAI = "Asia/Shanghai"


def at(text: str, zone: str = "UTC") -> int:
    """The Unix ms of an ISO 8601 time in a zone."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


async def test_points_are_those_of_the_zone() -> None:
    """Days of the zone, cut by both bounds and by the present; each has the contract's keys, exact."""
    start_ms, end_ms = at("2018-07-26T08:00", SHANGHAI), at("2018-07-30T00:00", SHANGHAI)
    days = [at(f"2018-07-{day}T00:00", SHANGHAI) for day in (27, 28, 29)]
    now_seconds = at("2018-07-28T12:00", SHANGHAI) / 1000
    async with (
        served(now_seconds=lambda: now_seconds) as api,
        api.client.get(
            f"{SERIES}?start={start_ms}&end={end_ms}&interval=1d&time_zone=Asia/Shanghai", headers=as_caller()
        ) as response,
    ):
        body = json.loads(await response.read())
    assert response.status == 200
    counts = {"launching_num": 0, "running_num": 1, "failed_num": 3, "finished_num": 4, "canceling_num": 2}
    counts |= {"cancelled_num": 5, "input_size": BIG_SIZE_BYTES}
    borders = [start_ms, *days, end_ms]
    assert body == {
        "interval": "1d",
        "time_zone": SHANGHAI,
        "points": [
            {"start": start, "end": end, "is_partial": is_partial, **counts}
            for start, end, is_partial in zip(borders, borders[1:], [True, False, True, True], strict=False)
        ],
    }
    assert list(body["points"][0]) == ["start", "end", "is_partial", *counts]
    assert api.store.asked_series == [(PROJECT, borders, None, None)]


async def test_a_long_range_holds_up_nobody(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is cut, which takes its caller's turn, others are answered."""
    steps: list[str] = []
    begins, is_cut = threading.Event(), threading.Event()

    async def take(turns: Turns, caller: tuple[str, str]) -> None:
        steps.append(f"turn of {caller[1]}")
        await taking(turns, caller)

    def cut_slowly(*given: Any) -> Timeline:
        steps.append("cut")
        begins.set()
        assert is_cut.wait(10)
        return timeline(*given)

    taking = Turns.take
    monkeypatch.setattr(Turns, "take", take)
    monkeypatch.setattr(time_series, "timeline", cut_slowly)
    url = f"{SERIES}?start=0&end={at('2060-01-01')}"
    asked = asyncio.create_task(api.client.get(url, headers=as_caller()).__aenter__())
    assert await asyncio.to_thread(begins.wait, 10)
    async with api.client.get(PATH, headers=as_caller(sub="other")) as response:
        assert response.status == 200
    is_cut.set()
    assert (await asked).status == 200
    assert steps == ["turn of user-1", "cut", "turn of other"]


async def test_answer_carries_its_headers() -> None:
    """An answer says how recent it is and what it may lack, and may be kept by one caller who asks whether it holds."""
    store = FakeStore(horizon_ms=1_000, gaps=2)
    async with served(store) as api:
        async with api.client.get(f"{SERIES}?start=0&end=2000", headers=as_caller()) as response:
            headers = response.headers
        assert headers["X-Statistics-As-Of"] == str(AS_OF_MS)
        assert (headers["X-Statistics-Horizon"], headers["X-Statistics-Gaps"]) == ("1000", "2")
        assert headers["Content-Type"] == "application/json; charset=utf-8"
        assert headers["Cache-Control"] == "private, no-cache"
        known = {**as_caller(), "If-None-Match": headers["ETag"]}
        async with api.client.get(f"{SERIES}?start=0&end=2000", headers=known) as response:
            assert (response.status, await response.read()) == (304, b"")
        async with api.client.get(f"{SERIES}?start=1000&end=2000", headers=known) as response:
            assert response.status == 200
            assert "X-Statistics-Horizon" not in response.headers


async def test_large_series_is_compressed(api: Api) -> None:
    """A series of many points comes compressed to those who accept it."""
    headers = {**as_caller(), "Accept-Encoding": "gzip"}
    async with api.client.get(f"{SERIES}?start=0&end={2000 * 60_000}&interval=1m", headers=headers) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert len((await response.json())["points"]) == 2000


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "The parameter start is missing."),
        ("end=1", "The parameter start is missing."),
        ("start=1", "The parameter end is missing."),
        ("start=5&end=5", "The parameter start is not less than the parameter end."),
        ("start=6&end=5", "The parameter start is not less than the parameter end."),
        ("start=x&end=5", f"The parameter start is not a decimal number from 0 to {MAX_MS}."),
        ("start=1&end=", f"The parameter end is not a decimal number from 0 to {MAX_MS}."),
        (f"start=1&end={MAX_MS + 1}", f"The parameter end is not a decimal number from 0 to {MAX_MS}."),
        ("start=1&start=1&end=5", "The parameter start is given more than once."),
        ("start=1&end=5&interval=1d&interval=1d", "The parameter interval is given more than once."),
        ("start=1&end=5&time_zone=UTC&time_zone=UTC", "The parameter time_zone is given more than once."),
        ("start=1&end=5&user_name=a&user_name=a", "The parameter user_name is given more than once."),
        ("start=1&end=5&zone=UTC", "There is no parameter zone here."),
        *(
            (f"start=1&end=5&interval={name}", "The parameter interval is none of 1m, 5m, 15m, 1h, 6h, 1d, 1w, 1M.")
            for name in ("", "1D", "2m", "1%20d", "1y")
        ),
        *(
            (
                f"start=1&end=5&time_zone={name}",
                "The parameter time_zone is no name of the IANA time zone database, such as Asia/Shanghai.",
            )
            for name in (
                *("", "utc", "asia/shanghai", "Asia/Shanghai%00", "Asia/Atlantis", "Asia", "localtime", "posixrules"),
                *("../etc/passwd", "/etc/localtime", "posix/UTC", "right/UTC", "%2B08:00", "Asia//Shanghai", "zones"),
            )
        ),
        *(
            (
                f"start=1&end=5&user_name={name}",
                "The parameter user_name is not of 1 to 128 characters without control characters.",
            )
            for name in ("", "a" * 129, "%00", "a%0A", "%7F", "%C2%9F")
        ),
        (
            f"start=0&end={MAX_MS}&interval=1m",
            "The range is too long: more than 2,000 points with every value of the parameter interval.",
        ),
        (
            f"start=0&end={MAX_MS}",
            "The range is too long: more than 2,000 points with every value of the parameter interval.",
        ),
        (
            f"start=0&end={2000 * 60_000 + 1}&interval=1m",
            "The parameter interval makes more than 2,000 points of this range; the finest that fits is 5m.",
        ),
        (
            f"start=0&end={2001 * 86_400_000}&interval=1d",
            "The parameter interval makes more than 2,000 points of this range; the finest that fits is 1w.",
        ),
    ],
)
async def test_bad_query_is_refused_by_name(api: Api, query: str, message: str) -> None:
    """What cannot be answered is a 400 that names the parameter, in both languages; the store isn't asked."""
    async with api.client.get(f"{SERIES}?{query}", headers=as_caller()) as response:
        body = await response.json()
    assert (response.status, body["error_code"], body["error_msg"]) == (400, "DLI.0001", message)
    async with api.client.get(f"{SERIES}?{query}", headers={**as_caller(), "X-Language": "zh-cn"}) as response:
        assert (await response.json())["error_msg"].endswith("。")
    assert api.store.asked_series == []


@pytest.mark.parametrize(
    ("length_ms", "interval", "points"),
    [
        (1, "1m", 1),
        (400 * 60_000, "1m", 400),
        (400 * 60_000 + 1, "5m", 81),
        (86_400_000, "5m", 288),
        (7 * 86_400_000, "1h", 168),
        (30 * 86_400_000, "6h", 120),
        (365 * 86_400_000, "1d", 365),
        (56 * 365 * 86_400_000, "1M", 672),  # more than 400, since there is nothing coarser
    ],
)
async def test_interval_is_the_finest_with_few_points(api: Api, length_ms: int, interval: str, points: int) -> None:
    """Without an interval a range is cut as finely as 400 points allow."""
    async with api.client.get(f"{SERIES}?start=0&end={length_ms}", headers=as_caller()) as response:
        body = await response.json()
    assert (body["interval"], len(body["points"]), body["time_zone"]) == (interval, points, "UTC")


async def test_last_instants_there_are(api: Api) -> None:
    """A range that lies after the year 9999 is answered as any other."""
    query = f"start={MAX_MS - 86_400_000}&end={MAX_MS}&interval=6h&time_zone=America/New_York"
    async with api.client.get(f"{SERIES}?{query}", headers=as_caller()) as response:
        points = (await response.json())["points"]
    assert (points[0]["start"], points[-1]["end"], len(points)) == (MAX_MS - 86_400_000, MAX_MS, 5)
    assert all(point["is_partial"] for point in points)


@pytest.mark.parametrize(
    ("claims", "query", "asked"),
    [
        ({}, "", (None, None)),
        ({}, "&user_name=%E6%B5%8B%20%2B", (None, "测 +")),
        ({"roles": []}, "", ("user-1", None)),
        ({"roles": []}, "&user_name=test", ("user-1", None)),
    ],
)
async def test_whose_jobs_count(api: Api, claims: dict[str, list[str]], query: str, asked: tuple[str, str]) -> None:
    """An administrator may name a user; every other caller gets its own jobs, also by its name."""
    async with api.client.get(f"{SERIES}?start=0&end=1{query}", headers=as_caller(**claims)) as response:
        assert response.status == 200
    assert api.store.asked_series == [(PROJECT, [0, 1], *asked)]


@pytest.mark.parametrize("claims", [{"roles": []}, {"roles": ["member"], "name": "TEST"}])
async def test_other_users_are_refused(api: Api, claims: dict[str, str | list[str]]) -> None:
    """Who is no administrator may name no other user."""
    name = "other" if "name" not in claims else "test"
    async with api.client.get(f"{SERIES}?start=0&end=1&user_name={name}", headers=as_caller(**claims)) as response:
        assert (response.status, (await response.json())["error_code"]) == (403, "DLI.0016")
    assert api.store.asked_series == []


async def test_head_is_answered(api: Api) -> None:
    """HEAD gets the headers alone."""
    start = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
    async with api.client.head(f"{SERIES}?start={start}&end={start + 1}", headers=as_caller()) as response:
        assert (response.status, await response.read()) == (200, b"")
        assert "ETag" in response.headers
