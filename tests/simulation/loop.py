"""An event loop whose time is virtual: when nothing is left to run, time jumps to the next timer.

What runs when depends on the timers and on the network's chance alone, so a seed gives the same life each time. Each
turn of the loop takes some microseconds, so that a task that waits for an instant without sleeping gets there.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextvars import Context, copy_context
from itertools import count
from typing import Any

from tests.simulation.network import Network
from tests.simulation.process import PROCESS, Process

_TURN_SECONDS = 5e-6
_MOST_CANCELLED = 500  # timers, before they are taken out


class StuckError(Exception):
    """Says that nothing is left to run, and no timer is set."""


_numbers = count()


def _number_of(numbered: Any) -> int:
    """Returns the number that something gets once its hash is asked for: sets have the same order in each run."""
    try:
        number: int = numbered.number
    except AttributeError:
        number = numbered.number = next(_numbers)
    return number


class _Task(asyncio.Task[Any]):
    """A task whose hash is a number."""

    process: Process | None = None
    __hash__ = _number_of


class _Future(asyncio.Future[Any]):
    __hash__ = _number_of


class _Handle(asyncio.Handle):
    """A handle that notes nothing for debugging, as it is made some ten thousand times a life."""

    __slots__ = ()

    def __init__(
        self, callback: Callable[..., object], args: Sequence[Any], loop: asyncio.AbstractEventLoop, context: Any
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = self._source_traceback = None


class _Timer(asyncio.TimerHandle):
    """Likewise."""

    __slots__ = ()

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: Sequence[Any],
        loop: asyncio.AbstractEventLoop,
        context: Any,
    ) -> None:
        self._when = when
        self._scheduled = False
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = self._source_traceback = None

    def cancel(self) -> None:
        """Has the callback not run."""
        if not self._cancelled:
            self._cancelled = True
            self._callback = self._args = None  # type: ignore[assignment]
            self._loop._timer_handle_cancelled(self)  # type: ignore[attr-defined]


class SimulatedLoop(asyncio.BaseEventLoop):
    """Runs tasks in virtual time; connections lead into the network given."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self._now = 1.0
        self._set = count()
        self._ready: deque[asyncio.Handle]
        self._waiting: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._cancelled = 0
        self.failure: asyncio.Future[Any] = self.create_future()  # the first error that a process ended with
        make_task: Any = self._make_task  # versions of Python differ in what a factory takes
        self.set_task_factory(make_task)

    # -- time

    def time(self) -> float:
        """Returns virtual seconds."""
        return self._now

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Runs a callback at an instant; those of one instant run in the order in which they were set."""
        timer = _Timer(when, callback, args, self, context)
        heapq.heappush(self._waiting, (when, next(self._set), timer))
        return timer

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Runs a callback after so many seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Runs a callback in the next turn."""
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def _timer_handle_cancelled(self, _handle: asyncio.TimerHandle) -> None:
        self._cancelled += 1
        if self._cancelled > _MOST_CANCELLED and 2 * self._cancelled > len(self._waiting):
            self._waiting = [each for each in self._waiting if not each[2].cancelled()]
            heapq.heapify(self._waiting)
            self._cancelled = 0

    def _run_once(self) -> None:
        """Runs turns until the loop is stopped."""
        ready, turn = self._ready, self._turn
        turn(ready)
        while not self._stopping:  # type: ignore[attr-defined]
            turn(ready)

    def _turn(self, ready: deque[asyncio.Handle]) -> None:
        if not ready:
            self._jump()
        self._now = now = self._now + _TURN_SECONDS
        waiting = self._waiting
        while waiting and waiting[0][0] <= now:
            timer = heapq.heappop(waiting)[2]
            if timer._cancelled:
                self._cancelled -= 1
            else:
                ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            process = handle._context.get(PROCESS)  # type: ignore[attr-defined]
            if process is None or not (process.is_hung or process.is_dead):
                handle._run()
            elif not process.is_dead:
                process.held.append(handle)

    def _jump(self) -> None:
        """Sets the time to that of the next timer."""
        waiting = self._waiting
        while waiting and waiting[0][2]._cancelled:
            heapq.heappop(waiting)
            self._cancelled -= 1
        if waiting:
            self._now = max(self._now, waiting[0][0])
        elif not self._stopping:  # type: ignore[attr-defined]
            raise StuckError("nothing is left to run")

    def run_now(self, handles: Iterable[asyncio.Handle]) -> None:
        """Runs what a process could not while it hung, before everything else."""
        self._ready.extendleft(reversed(list(handles)))

    # -- tasks

    def create_future(self) -> asyncio.Future[Any]:
        """Returns a future whose hash does not depend on where it lies in memory."""
        return _Future(loop=self)

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, Any],
        context: Context | None = None,
        **options: Any,  # newer versions of Python give more
    ) -> asyncio.Task[Any]:
        task = _Task(coroutine, loop=loop, context=context, **options)
        task.process = PROCESS.get() if context is None else context.get(PROCESS)
        return task

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
