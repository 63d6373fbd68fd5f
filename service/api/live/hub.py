"""Opens streams, and ends them when the process stops."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from functools import partial

from aiohttp import web

from service.api.live.limits import Seats, StreamLimits
from service.api.live.metrics import StreamMetrics
from service.api.live.pace import Cursor, Pace
from service.api.live.stream import Stream
from service.api.live.token_watch import TokenWatch
from service.api.live.topic import Question
from service.api.live.watch import Watch, Watching
from service.auth.caller import Authenticator, Caller
from service.http.errors import STOPPING_MESSAGE, UNAVAILABLE, ApiError
from service.http.responses import RETRY_AFTER
from service.http.server import STOPPING
from service.runtime.tasks import cancel
from service.store.contract import StatisticsStore
from service.store.errors import LayoutError


class Hub:
    """Has all streams of a process, and one watch for each project that has any."""

    def __init__(  # noqa: PLR0913 - its clock and limits too are passed in
        self,
        store: StatisticsStore,
        authenticator: Authenticator,
        metrics: StreamMetrics,
        give_up: Callable[[LayoutError], None],
        *,
        limits: StreamLimits,
        pace: Pace,
        unix_time_seconds: Callable[[], float] = time.time,
    ) -> None:
        self._metrics = metrics
        self._authenticator = authenticator
        self._limits = limits
        self._pace = pace
        self._unix_time_seconds = unix_time_seconds
        self._seats = Seats(limits, metrics)
        self._watching = Watching(store, give_up, metrics, pace)
        self._streams: set[Stream] = set()
        self._is_stopping = False

    async def open(self, caller: Caller, token: str, question: Question, last_event_id: str | None) -> Stream:
        """Returns a stream of the caller's project, whose first event is ready. Whoever has it must close it.

        Raises ApiError where there are too many streams and while the process stops, and what the store raises.
        """
        if self._is_stopping:
            raise ApiError(UNAVAILABLE, STOPPING_MESSAGE, headers=RETRY_AFTER)
        project_id, seat = caller.project_id, (caller.project_id, caller.user_id)
        assert project_id is not None  # noqa: S101 - the caller may ask for the project of the path
        self._seats.take(seat)
        wake = asyncio.Event()
        try:
            watch = self._watch(project_id, question)
            leave = partial(watch.leave, question, wake)
            try:
                topic = await watch.join(question, wake)
            except BaseException:
                await leave()
                raise
        except BaseException:
            self._seats.leave(seat)
            raise

        async def close(stream: Stream) -> None:
            if stream in self._streams:
                self._streams.remove(stream)
                self._seats.leave(seat)
                await leave()

        watched = TokenWatch(token, caller, self._authenticator, self._unix_time_seconds)
        cursor = Cursor(self._pace, last_event_id)
        stream = Stream(
            topic, wake, cursor, token=watched, pace=self._pace, on_close=close, on_event=self._metrics.sent
        )
        self._streams.add(stream)
        if self._is_stopping:
            stream.end("stopping")
        return stream

    async def live(self, app: web.Application) -> AsyncIterator[None]:
        """Ends all streams as soon as the server begins to stop. The application has it as a cleanup context."""
        ending = asyncio.create_task(self._end_with(app[STOPPING]))
        yield
        await cancel([ending])

    async def _end_with(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._is_stopping = True
        for stream in self._streams:
            stream.end("stopping")

    def _watch(self, project_id: str, question: Question) -> Watch:
        watch = self._watching.watches.get(project_id)
        if watch is None:
            watch = self._watching.watches[project_id] = Watch(project_id, self._watching)
        elif question not in watch.topics and len(watch.topics) >= self._limits.questions_per_project:
            raise self._seats.refusal("project")
        return watch
