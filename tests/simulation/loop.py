"""An event loop whose time is virtual: when nothing is left to run, time jumps to the next timer.

What runs when depends on the timers and on the network's chance alone, so a seed gives the same life each time. Each
turn of the loop takes some microseconds, so that a task that waits for an instant without sleeping gets there.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextvars import Context
from itertools import count
from typing import Any

from tests.simulation.network import Network
from tests.simulation.process import PROCESS, Process

_TURN_SECONDS = 5e-6
_MOST_CANCELLED = 500  # timers, before they are taken out


class StuckError(Exception):
    """Says that nothing is left to run, and no timer is set."""


class _Task(asyncio.Task[Any]):
    """A task whose hash is a number: sets of tasks have the same order in each run."""

    def __init__(
        self, coroutine: Coroutine[Any, Any, Any], number: int, process: Process | None, **options: Any
    ) -> None:
        self._number = number  # before the loop takes it into a set
        self.process = process
        super().__init__(coroutine, **options)

    def __hash__(self) -> int:
        return self._number


class _Future(asyncio.Future[Any]):
    def __init__(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        self._number = number
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._number


class SimulatedLoop(asyncio.BaseEventLoop):
    """Runs tasks in virtual time; connections lead into the network given."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.turns = 0
        self._now = 1.0
        self._numbers = count()
        self._waiting: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._cancelled = 0
        self.failure: asyncio.Future[Any] = self.create_future()  # the first error that a process ended with
        self.set_task_factory(self._make_task)  # type: ignore[arg-type]

    # -- time

    def time(self) -> float:
        """Returns virtual seconds."""
        return self._now

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Runs a callback at an instant; those of one instant run in the order in which they were set."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._waiting, (when, next(self._numbers), timer))
        return timer

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Runs a callback after so many seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def _timer_handle_cancelled(self, _handle: asyncio.TimerHandle) -> None:
        self._cancelled += 1
        if self._cancelled > _MOST_CANCELLED and 2 * self._cancelled > len(self._waiting):
            self._waiting = [each for each in self._waiting if not each[2].cancelled()]
            heapq.heapify(self._waiting)
            self._cancelled = 0

    def _run_once(self) -> None:
        ready: deque[asyncio.Handle] = self._ready  # type: ignore[attr-defined]
        waiting = self._waiting
        if not ready:
            while waiting and waiting[0][2].cancelled():
                heapq.heappop(waiting)
                self._cancelled -= 1
            if waiting:
                self._now = max(self._now, waiting[0][0])
            elif not self._stopping:  # type: ignore[attr-defined]
                raise StuckError("nothing is left to run")
        self._now += _TURN_SECONDS
        self.turns += 1
        while waiting and waiting[0][0] <= self._now:
            timer = heapq.heappop(waiting)[2]
            if timer.cancelled():
                self._cancelled -= 1
            else:
                ready.append(timer)
        for _ in range(len(ready)):
            self._run(ready.popleft())

    def _run(self, handle: asyncio.Handle) -> None:
        if handle.cancelled():
            return
        process = handle._context.get(PROCESS)  # type: ignore[attr-defined]
        if process is not None and (process.is_dead or process.is_hung):
            if not process.is_dead:
                process.held.append(handle)
            return
        handle._run()

    def run_now(self, handles: Iterable[asyncio.Handle]) -> None:
        """Runs what a process could not while it hung, before everything else."""
        ready: deque[asyncio.Handle] = self._ready  # type: ignore[attr-defined]
        ready.extendleft(reversed(list(handles)))

    # -- tasks

    def create_future(self) -> asyncio.Future[Any]:
        """Returns a future whose hash does not depend on where it lies in memory."""
        return _Future(next(self._numbers), self)

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], context: Context | None = None
    ) -> asyncio.Task[Any]:
        process = PROCESS.get() if context is None else context.get(PROCESS)
        return _Task(coroutine, next(self._numbers), process, loop=loop, context=context)

    def tasks_of(self, process: Process) -> list[asyncio.Task[Any]]:
        """Returns the tasks that a process has."""
        return [task for task in asyncio.all_tasks(self) if isinstance(task, _Task) and task.process is process]

    def main_task_ended(self, task: asyncio.Task[Any]) -> None:
        """Notes the error of a process, if it has ended with one."""
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.failure.done():
            self.failure.set_exception(error)

    def run_in_executor(  # type: ignore[override]
        self, _executor: Any, function: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Runs a function at once: there are no threads."""
        future = self.create_future()
        try:
            future.set_result(function(*args))
        except Exception as error:  # noqa: BLE001 - whoever awaits the future gets it
            future.set_exception(error)
        return future

    # -- the network

    async def create_connection(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], host: str = "", port: int = 0, **_: Any
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Connects to whoever listens at the address. Raises OSError."""
        return await self.network.connect(protocol_factory, (host, port))

    async def create_unix_connection(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], path: Any = None, **_: Any
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Connects to whoever listens at `host:port`, for clients that choose the path of a socket freely."""
        host, _, port = path.rpartition(":")
        return await self.network.connect(protocol_factory, (host, int(port)))

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> list[Any]:
        """Returns the name as its own address."""
        return [(2, 1, 6, "", (host, port))]

    # -- what a loop of a real process has

    def add_reader(self, *_: Any) -> None:  # type: ignore[override]
        """Does nothing: nobody connects to a real socket of a simulated process."""

    def remove_reader(self, *_: Any) -> None:  # type: ignore[override]
        """Does nothing."""

    def _process_events(self, _events: Any) -> None: ...

    def _write_to_self(self) -> None: ...
