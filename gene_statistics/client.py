"""Asks the API for statistics of jobs."""

import asyncio
import re
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import datetime
from math import inf
from types import TracebackType
from typing import Any, Literal, Self

import aiohttp

from gene_statistics.answers import Statistics, TimeSeries
from gene_statistics.connection import Connection, read_body
from gene_statistics.errors import (
    GeneStatisticsError,
    InvalidAnswerError,
    RateLimitedError,
    UnavailableError,
    UnreachableError,
)
from gene_statistics.instants import to_ms
from gene_statistics.parsing import parse_event, parse_statistics, parse_time_series
from gene_statistics.retries import Retries
from gene_statistics.sse import ServerSentEvent, read_events
from gene_statistics.texts import shown
from gene_statistics.tokens import TokenSource

Interval = Literal["1m", "5m", "15m", "1h", "6h", "1d", "1w", "1M"]

_MOST_BYTES = 64 * 1024 * 1024
_TRY_SECONDS = 10.0
_SILENCE_SECONDS = 45.0  # three times as long as the service lets pass without an event
_MAY_PASS = (RateLimitedError, UnavailableError, UnreachableError)
_is_project = re.compile(r"[A-Za-z0-9_-]{1,64}").fullmatch


class StatisticsClient:
    """Asks one service for statistics, as one caller. Use it with `async with`; it may be asked many things at once.

    A question is asked again while the service cannot be reached, or says 429, 502, 503 or 504, until the deadline. It
    waits as long as `Retry-After` says. Other errors are raised at once.
    """

    def __init__(
        self,
        base_url: str,
        token: TokenSource,
        *,
        ssl_cafile: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        deadline_seconds: float = 30.0,
    ) -> None:
        """Takes the service's address, which may have a path, and a token or a function that gives one.

        The function is asked once, and again whenever the service refuses its token; it may be a coroutine function.
        `ssl_cafile` or `ssl_context` are for a service with certificates of a private CA. Raises ValueError for an
        address or a token that cannot be one, and OSError for a file that cannot be used.
        """
        if not 0 < deadline_seconds < inf:
            raise ValueError("deadline_seconds: more than 0, and finite")
        context = ssl_context or (ssl.create_default_context(cafile=ssl_cafile) if ssl_cafile else True)
        self._connection = Connection(base_url, token, context)
        self._deadline_seconds = deadline_seconds

    async def __aenter__(self) -> Self:
        """Opens the client; connects to nothing yet."""
        await self._connection.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes; see `close`."""
        await self.close()

    async def close(self) -> None:
        """Closes all connections; what is under way fails."""
        await self._connection.close()

    async def statistics(
        self, project_id: str, *, start: datetime | int | None = None, end: datetime | int | None = None
    ) -> Statistics:
        """Returns the statistics of a project's jobs whose start time is in [start, end); a missing bound is open.

        Bounds are datetimes with a time zone, or Unix milliseconds. Raises ApiError, UnreachableError,
        InvalidAnswerError, and ValueError for an argument that cannot be sent.
        """
        headers, body = await self._ask(_path(project_id), {"start": start, "end": end})
        return parse_statistics(headers, body)

    async def time_series(  # noqa: PLR0913 - the parameters of the resource
        self,
        project_id: str,
        *,
        start: datetime | int,
        end: datetime | int,
        interval: Interval | None = None,
        time_zone: str | None = None,
        user_name: str | None = None,
    ) -> TimeSeries:
        """Returns the statistics of a project by stretches of time, which cover [start, end) without gap or overlap.

        Without an interval it is the finest with at most 400 points. `time_zone` is an IANA name, else UTC. Raises what
        `statistics` raises.
        """
        query = {"start": start, "end": end, "interval": interval, "time_zone": time_zone, "user_name": user_name}
        headers, body = await self._ask(f"{_path(project_id)}/timeseries", query)
        return parse_time_series(headers, body)

    async def stream(
        self, project_id: str, *, start: datetime | int | None = None, end: datetime | int | None = None
    ) -> AsyncGenerator[Statistics, None]:
        """Yields the statistics at once, whenever they change, and when they have become newer without a change.

        It connects again where a connection breaks off or the service ends the stream. Raises what `statistics` raises,
        once nothing has come for as long as the deadline, which runs from when a connection is found broken.
        """
        path, query = f"{_path(project_id)}/stream", _query({"start": start, "end": end})
        answer, last_id = None, ""
        retries: Retries | None = Retries(self._deadline_seconds)
        while True:
            ended: GeneStatisticsError = UnreachableError("the service ended the stream")
            try:
                async with aclosing(self._events(path, query, last_id)) as events:
                    async for event in events:
                        if event.name == "end":
                            break
                        retries, last_id = None, event.last_id
                        answer = parse_event(answer, event)
                        if answer is not None:
                            yield answer
            except _MAY_PASS as error:
                ended = error
            # the silence before the break, and what the caller did meanwhile, are no part of the deadline
            retries = retries or Retries(self._deadline_seconds)
            await retries.wait(ended)

    async def _events(self, path: str, query: Mapping[str, str], last_id: str) -> AsyncGenerator[ServerSentEvent, None]:
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_TRY_SECONDS, sock_read=_SILENCE_SECONDS)
        async with self._connection.get(path, query, headers, timeout) as response:
            if response.content_type != "text/event-stream":
                raise InvalidAnswerError(f"{shown(response.content_type)} in the place of a stream")
            async for event in read_events(response.content.iter_any(), _MOST_BYTES):
                yield event

    async def _ask(self, path: str, values: Mapping[str, Any]) -> tuple[Mapping[str, str], bytes]:
        query, timeout = _query(values), aiohttp.ClientTimeout(total=_TRY_SECONDS)
        try:
            async with asyncio.timeout(self._deadline_seconds) as deadline:
                retries = Retries(self._deadline_seconds)
                while True:
                    try:
                        async with self._connection.get(path, query, {}, timeout) as response:
                            return response.headers, await read_body(response, _MOST_BYTES)
                    except _MAY_PASS as error:
                        await retries.wait(error)
        except TimeoutError as error:
            if not deadline.expired():
                raise  # of the caller's own function for tokens
            raise UnreachableError(f"no answer within {self._deadline_seconds:g} s") from error


def _path(project_id: str) -> str:
    if not isinstance(project_id, str) or not _is_project(project_id):
        raise ValueError("project_id: 1 to 64 of A-Z a-z 0-9 _ -")
    return f"v2.0/{project_id}/gene/statistics"


def _query(values: Mapping[str, Any]) -> dict[str, str]:
    """Returns the parameters that are given, as the API takes them. Raises ValueError."""
    return {name: _parameter(name, value) for name, value in values.items() if value is not None}


def _parameter(name: str, value: object) -> str:
    try:
        return str(to_ms(value) if isinstance(value, datetime) else value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
