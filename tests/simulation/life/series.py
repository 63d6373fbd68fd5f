"""Asks the API for time series all the while; the points of each must add up to what an answer may say."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import Any

import aiohttp

from tests.chaos.load import GROWING, JOB_BYTES, MOVING, MOVING_SPAN_MS, Known, growing_start_ms
from tests.chaos.says import Says
from tests.end_to_end.asking import Asking, Question
from tests.end_to_end.publisher import now_ms
from tests.end_to_end.traffic import NOON_MS

SERIES = "statistics/timeseries"
_PAUSE_SECONDS = 0.7
_INTERVALS = ("6h", "1d", "1w", "1M")
_ZONES = ("UTC", "Europe/Berlin", "Australia/Lord_Howe")


class SeriesReader:
    """Asks one question after another; `answers` says how often the API answered."""

    def __init__(self, asking: Asking, known: Known, rnd: Random, forgets: bool) -> None:
        self._asking = asking
        self._known = known
        self._forgets = forgets
        self._rnd = rnd
        self.answers = 0

    async def run(self) -> None:
        """Asks until it is cancelled. Raises AssertionError for a series that cannot be right."""
        while True:
            for ask in (self._ask_growing, self._ask_moving):
                with suppress(aiohttp.ClientConnectionError, aiohttp.ServerTimeoutError):
                    await ask()
                await asyncio.sleep(_PAUSE_SECONDS)

    async def ask(self, question: Question) -> tuple[Says, list[dict[str, Any]]] | None:
        """Returns what a series says, and its points, which have no gap; None if the API has no answer now."""
        query = {"interval": self._rnd.choice(_INTERVALS), "time_zone": self._rnd.choice(_ZONES)}
        status, headers, body = await self._asking.get(question, SERIES, **query)
        if status == 503:
            assert body["error_code"] == "DLI.0012", body
            return None
        assert status == 200, (question, query, body)
        assert int(headers["X-Statistics-As-Of"]) <= now_ms(), question
        self.answers += 1
        points = body["points"]
        borders = [point["start"] for point in points] + [points[-1]["end"]]
        assert (borders[0], borders[-1]) == question[1:3], (question, borders)
        assert [point["end"] for point in points] == borders[1:], (question, borders)
        assert sum(point["input_size"] for point in points) == count_jobs(points) * JOB_BYTES, (question, points)
        return Says.of(headers, question[1], self._forgets), points

    async def _ask_growing(self) -> None:
        number = self._rnd.randint(1, max(1, self._known.growing.sent))
        answer = await self.ask((GROWING, NOON_MS, growing_start_ms(number), None))
        if answer is not None:
            says, points = answer
            growing, hidden = self._known.growing, min(says.hidden, number)
            least = growing.least(says.as_of_ms, number) - growing.least(says.as_of_ms, hidden)
            assert least <= count_jobs(points) <= number - hidden, (says, least, number, hidden, points)

    async def _ask_moving(self) -> None:
        start_ms = NOON_MS + self._rnd.randrange(MOVING_SPAN_MS // 2)
        question = (MOVING, start_ms, start_ms + self._rnd.randrange(MOVING_SPAN_MS // 4, MOVING_SPAN_MS), None)
        answer = await self.ask(question)
        if answer is not None:
            says, points = answer
            bounds = self._known.moving.bounds(says.as_of_ms, question[1], question[2], says.horizon_ms)
            count = count_jobs(points)
            assert bounds.least() <= count <= bounds.most(), (says, question, bounds.least(), bounds.most(), points)


def count_jobs(points: Sequence[Mapping[str, Any]]) -> int:
    """Returns how many jobs the points of a series count together."""
    return sum(point[name] for point in points for name in point if name.endswith("_num"))
