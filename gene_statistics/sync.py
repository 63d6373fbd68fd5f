"""The library for callers without an event loop: the same calls, each of which blocks until it is done.

The loop runs in a thread of its own, so any thread may call, and several at once.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine, Generator, Iterable
from contextlib import ExitStack
from datetime import datetime
from itertools import islice
from types import TracebackType
from typing import Any, Self, TypeVar

from gene_statistics.answers import Statistics, TimeSeries
from gene_statistics.client import Interval, StatisticsClient
from gene_statistics.event import JobEvent
from gene_statistics.publisher import Delivery, EventPublisher

T = TypeVar("T")
_AT_ONCE = 5_000


class _Blocking:
    def __init__(self, wrapped: EventPublisher | StatisticsClient) -> None:
        self._wrapped = wrapped
        self._stack = ExitStack()
        self._loop: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._loop = stack.enter_context(asyncio.Runner(loop_factory=asyncio.new_event_loop)).get_loop()
            thread = threading.Thread(target=self._loop.run_forever, name="gene_statistics", daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(self._loop.call_soon_threadsafe, self._loop.stop)
            self._run(self._wrapped.__aenter__())
            stack.callback(lambda: self._run(self._wrapped.close()))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        self._loop = None

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise RuntimeError("not open: use it within `with`")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl-C ends the waiting, and the work too
            raise


class BlockingPublisher(_Blocking):
    """Publishes as an `EventPublisher` does, which it is made of. Use it with `with`."""

    def __init__(self, publisher: EventPublisher) -> None:
        """Takes a publisher that is not open yet."""
        super().__init__(publisher)
        self._publisher = publisher

    def publish(self, event: JobEvent) -> Delivery:
        """See `EventPublisher.publish`."""
        return self._run(self._publisher.publish(event))

    def publish_many(self, events: Iterable[JobEvent]) -> list[Delivery]:
        """See `EventPublisher.publish_many`. The iterable is read in the caller's thread."""
        deliveries: list[Delivery] = []
        remaining = iter(events)
        while some := list(islice(remaining, _AT_ONCE)):
            deliveries += self._run(self._publisher.publish_many(some))
        return deliveries

    def delete(self, project_id: str, job_id: str) -> Delivery:
        """See `EventPublisher.delete`."""
        return self._run(self._publisher.delete(project_id, job_id))


class BlockingClient(_Blocking):
    """Asks as a `StatisticsClient` does, which it is made of. Use it with `with`."""

    def __init__(self, client: StatisticsClient) -> None:
        """Takes a client that is not open yet."""
        super().__init__(client)
        self._client = client
        self._streams: set[AsyncGenerator[Statistics, None]] = set()

    def statistics(
        self, project_id: str, *, start: datetime | int | None = None, end: datetime | int | None = None
    ) -> Statistics:
        """See `StatisticsClient.statistics`."""
        return self._run(self._client.statistics(project_id, start=start, end=end))

    def time_series(  # noqa: PLR0913 - the parameters of the resource
        self,
        project_id: str,
        *,
        start: datetime | int,
        end: datetime | int,
        interval: Interval | None = None,
        time_zone: str | None = None,
        user_name: str | None = None,
    ) -> TimeSeries:
        """See `StatisticsClient.time_series`."""
        return self._run(
            self._client.time_series(
                project_id, start=start, end=end, interval=interval, time_zone=time_zone, user_name=user_name
            )
        )

    def stream(
        self, project_id: str, *, start: datetime | int | None = None, end: datetime | int | None = None
    ) -> Generator[Statistics, None, None]:
        """See `StatisticsClient.stream`."""
        answers = self._client.stream(project_id, start=start, end=end)
        self._streams.add(answers)
        try:
            while True:
                yield self._run(anext(answers))
        finally:
            self._close_stream(answers)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for answers in list(self._streams):
            self._close_stream(answers)
        super().__exit__(kind, error, trace)

    def _close_stream(self, answers: AsyncGenerator[Statistics, None]) -> None:
        if answers in self._streams:
            self._streams.remove(answers)
            self._run(answers.aclose())
