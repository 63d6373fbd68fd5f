"""A process of the simulation: the tasks, timers and connections that belong to one consumer, API, broker or command.

All processes of a life share one thread and one loop. What belongs to a process is told by a context variable, which
asyncio passes on to everything that a task begins.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from contextvars import Context, ContextVar, copy_context
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
        self.tasks: list[asyncio.Task[Any]] = []

    def context(self) -> Context:
        """Returns a context in which everything belongs to this process."""
        context = copy_context()
        context.run(PROCESS.set, self)
        return context

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begins a task of this process; the loop is the running one."""
        task = asyncio.get_running_loop().create_task(coroutine, context=self.context())
        self.tasks.append(task)
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

    def kill(self) -> None:
        """Ends the process without a chance to do anything; its connections are reset."""
        self.is_dead = True
        self.held.clear()
        for connection in list(self.connections):
            connection.reset()
        self.connections.clear()


PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)
