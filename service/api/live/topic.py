"""A question that streams ask: its newest state, for all of them, and whom to wake when there is a newer one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from service.api.live.frames import Reason, State
from service.runtime.tasks import SharedTask
from service.store.contract import Answer


class Question(NamedTuple):
    """What streams ask of a project; `user_id` is None for an administrator."""

    start_ms: int | None
    end_ms: int | None
    user_id: str | None


class Topic:
    """Holds the newest state of a question. A stream has no queue: it reads the state when it can send again."""

    def __init__(self, question: Question, read: Callable[[Question], Awaitable[Answer]]) -> None:
        self.question = question
        self.state: State | None = None
        self.ended: Reason | None = None
        self.streams: set[asyncio.Event] = set()
        self._read = read
        self._asking = SharedTask(self._ask)

    @property
    def is_asking(self) -> bool:
        """Returns whether the question is under way."""
        return self._asking.is_running

    async def ask(self) -> State:
        """Asks the question anew, once for all who await it, and returns the state. Raises what the store raises."""
        return await self._asking.join()

    def confirm(self, as_of_ms: int) -> None:
        """Notes that the answer still held at that as-of."""
        if self.state is not None and self.state.as_of_ms != as_of_ms:
            self._become(State(self.state.answer, as_of_ms))

    def end(self, reason: Reason) -> None:
        """Ends all streams of the question."""
        self.ended = reason
        self._wake()

    async def close(self) -> None:
        """Cancels the question that is under way, if any."""
        await self._asking.close()

    async def _ask(self) -> State:
        answer = await self._read(self.question)
        return self._become(State(answer, answer.as_of_ms))

    def _become(self, state: State) -> State:
        self.state = state
        self._wake()
        return state

    def _wake(self) -> None:
        for stream in self.streams:
            stream.set()
