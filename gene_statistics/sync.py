"""The library for callers without an event loop: the same calls, each of which blocks until it is done.

The loop runs in a thread of its own, so any thread may call, and several at once; a loop of the caller does no harm.
"""

import asyncio
import threading
from collections.abc import Coroutine, Generator, Iterable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from datetime import datetime
from itertools import islice
from types import TracebackType
from typing import Any, Self, TypeVar

from gene_statistics.answers import Statistics, TimeSeries
from gene_statistics.client import Interval, StatisticsClient
from gene_statistics.errors import AlreadyOpenError, ClientClosedError, GeneStatisticsError, PublisherClosedError
from gene_statistics.event import JobEvent
from gene_statistics.publisher import Delivery, EventPublisher

T = TypeVar("T")
_AT_ONCE = 5_000


class _Blocking:
    def __init__(self, wrapped: EventPublisher | StatisticsClient, closed: type[GeneStatisticsError]) -> None:
        self._wrapped = wrapped
        self._closed = closed
        self._lock = threading.Lock()  # work is handed to the loop, or the loop is taken away
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        with self._lock:
            if self._thread is not None:
                raise AlreadyOpenError("it is open already: make another one")
            loop: Future[asyncio.AbstractEventLoop] = Future()
            self._thread = threading.Thread(target=_run_loop, args=[loop], name="gene_statistics", daemon=True)
            self._thread.start()
            self._loop = loop.result()
        try:
            self._run(self._wrapped.__aenter__())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop(self._wrapped.close())

    def _stop(self, last: Coroutine[Any, Any, None] | None = None) -> None:
        """Takes no more work, does the last of it, and ends the loop, which cancels what is left, and its thread."""
        with self._lock:
            loop, self._loop = self._loop, None
            thread = self._thread
        if loop is None or thread is None:
            if last is not None:
                last.close()
            return
        try:
            if last is not None:
                asyncio.run_coroutine_threadsafe(last, loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            self._thread = None

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        with self._lock:
            if self._loop is None:
                work.close()
                raise self._closed("it is not open: use it within `with`")
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except CancelledError:
            raise self._closed("it was closed before this was done") from None
        except BaseException:
            future.cancel()  # Ctrl-C ends the waiting, and the work too
            raise


def _run_loop(started: "Future[asyncio.AbstractEventLoop]") -> None:
    """Runs a loop in this thread, which may have none yet, until it is stopped."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        started.set_result(runner.get_loop())
        runner.get_loop().run_forever()


class BlockingPublisher(_Blocking):
    """Publishes as an `EventPublisher` does, which it is made of. Use it with `with`."""

    def __init__(self, publisher: EventPublisher) -> None:
        """Takes a publisher that is not open yet."""
        super().__init__(publisher, PublisherClosedError)
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
        super().__init__(client, ClientClosedError)
        self._client = client

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
        try:
            while True:
                yield self._run(anext(answers))
        finally:
            with suppress(ClientClosedError):  # then the loop has closed it
                self._run(answers.aclose())
