"""The handler of a project's time series: the statistics of its gene jobs by stretches of time."""

import asyncio
from collections.abc import Callable
from functools import partial
from zoneinfo import ZoneInfo

from aiohttp import web

from service.api.access import STORE, TURNS, admit
from service.api.csv_answers import csv_answer, file_name, wants_csv
from service.api.csv_bodies import time_series_rows
from service.api.parameters import parse_range, refuse_unknown
from service.api.points import Columns, time_series_body
from service.api.resources import statistics
from service.api.resources.statistics import HEADERS, note_freshness
from service.api.series_parameters import parse_interval_name, parse_time_zone, parse_user, timeline
from service.calendar import Interval, Timeline
from service.http.representations import represent
from service.runtime.digests import digest_of
from service.time_zones import TimeZones

PATH = f"{statistics.PATH}/timeseries"
ROUTE = f"{statistics.ROUTE}/timeseries"
_LONG_MS = 20 * 365 * 86_400_000  # what has more years takes 30 ms of a core, when its zone's clock is not known yet
PARAMETERS = frozenset({"start", "end", "interval", "time_zone", "user_name"})


class TimeSeriesResource:
    """Answers for time series; it keeps the time zones that were asked for."""

    def __init__(self, now_seconds: Callable[[], float]) -> None:
        """Takes Unix time, by which an interval is over or not."""
        self._now_seconds = now_seconds
        self._zones = TimeZones()
        self._long_turn = asyncio.Lock()

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Answers the statistics of the path's project, cut into the intervals that the query asks for.

        Raises what `admit`, the functions that parse the query, and `StatisticsStore.series` raise; the middleware
        makes answers of these errors.
        """
        caller = await admit(request)
        project_id, query = request.match_info["project_id"], request.query
        refuse_unknown(query, PARAMETERS)
        start_ms, end_ms = parse_range(query)
        interval, time_zone = parse_interval_name(query), parse_time_zone(query)
        user_id, user_name = parse_user(query, caller)
        async with request.app[TURNS].of((caller.project_id, caller.user_id)) as turn:
            cut = await self._cut(start_ms, end_ms, interval, await self._zones.get(time_zone))
            series = await request.app[STORE].series(project_id, cut.borders_ms, user_id, user_name)
            columns = Columns.of(cut, series, int(self._now_seconds() * 1_000))
            body = time_series_body(cut.interval, time_zone, columns)
            turn.answer_bytes = len(body)
            digest = digest_of(body)
            if wants_csv(request):
                name = file_name(f"gene-statistics-{cut.interval}", project_id, start_ms, end_ms)
                response: web.StreamResponse = await csv_answer(
                    request, partial(time_series_rows, columns), digest, name, HEADERS
                )
            else:
                response = await represent(request, body, digest, HEADERS)
        note_freshness(response, series, start_ms)
        return response

    async def _cut(self, start_ms: int, end_ms: int, interval: Interval | None, zone: ZoneInfo) -> Timeline:
        if end_ms - start_ms <= _LONG_MS:
            return timeline(start_ms, end_ms, interval, zone)
        async with self._long_turn:
            return await asyncio.to_thread(timeline, start_ms, end_ms, interval, zone)
