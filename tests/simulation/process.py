"""A process of the simulation: the tasks, timers and connections that belong to one consumer, API, broker or command.

All processes of a life share one thread and one loop. What belongs to a process is told by a context variable, which
asyncio passes on to everything that a task begins.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from signal import SIGTERM
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Connected(Protocol):
    """One end of a connection."""

    def reset(self) -> None:
        """Ends the connection at once: the other side is told, this side is not."""


class Process:
    """May hang and wake as after SIGSTOP and SIGCONT, or be killed, after which nothing of it runs any more."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_hung = self.is_dead = False
        self.held: deque[asyncio.Handle] = deque()  # what would have run since it hangs
        self.connections: dict[Connected, None] = {}
        self.handlers: dict[int, Callable[[int, None], object]] = {}  # of signals

    def context(self) -> Context:
        """Returns a context in which everything belongs to this process."""
        context = copy_context()
        context.run(PROCESS.set, self)
        return context

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begins the main task of this process. If it raises an error, the whole simulation does."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(coroutine, context=self.context())
        task.add_done_callback(loop.main_task_ended)  # type: ignore[attr-defined]
        return task

    def hang(self) -> None:
        """Stops everything; connections stay, and what comes on them waits."""
        self.is_hung = True

    def wake(self) -> None:
        """Goes on, first with all that would have run meanwhile."""
        self.is_hung = False
        if self.held:
            held, self.held = self.held, deque()
            asyncio.get_running_loop().run_now(held)  # type: ignore[attr-defined]

    def terminate(self) -> None:
        """Sends SIGTERM: a process that has no handler for it yet is ended."""
        handler = self.handlers.get(SIGTERM)
        if handler is None:
            self.kill()
        else:
            asyncio.get_running_loop().call_soon(handler, SIGTERM, None, context=self.context())

    def kill(self) -> None:
        """Ends the process without a chance to do anything; its connections are reset."""
        self.is_dead = True
        self.held.clear()
        for connection in list(self.connections):
            connection.reset()
        self.connections.clear()


PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)
