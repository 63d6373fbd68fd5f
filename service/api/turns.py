"""Shares the process among callers: each has some questions in work at a time, its others wait in its own line.

The event loop works on questions one after the other, whoever asks. Without turns a caller that asks for fifty large
answers at once makes everybody else wait for fifty.
"""

import asyncio
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from types import TracebackType

from service.store.errors import StoreUnavailableError


@dataclass(frozen=True, slots=True)
class TurnPolicy:
    """Says how many questions of a caller are in work at most: few if its last answer was large.

    Questions with small answers are best read together, in one round trip to Redis.
    """

    most_in_work: int = 16
    most_large_in_work: int = 2
    large_bytes: int = 32_768
    most_remembered: int = 10_000


class Turns:
    """Lets callers have questions in work, and remembers those whose last answer was large."""

    def __init__(self, policy: TurnPolicy | None = None) -> None:
        self._policy = policy or TurnPolicy()
        self._in_work: dict[Hashable, int] = {}
        self._lines: dict[Hashable, deque[asyncio.Future[None]]] = {}
        self._with_large: dict[Hashable, None] = {}

    def of(self, caller: Hashable) -> "Turn":
        """Returns what a handler enters for as long as it works on a question of that caller."""
        return Turn(self, caller)

    def enter(self, caller: Hashable) -> bool:
        """Tells whether the caller may have another question in work at once; then it has."""
        in_work = self._in_work.get(caller, 0)
        if in_work >= self._most(caller):
            return False
        self._in_work[caller] = in_work + 1
        return True

    async def take(self, caller: Hashable) -> None:
        """Waits until the caller may have another question in work, behind its others that wait.

        Raises StoreUnavailableError if one of those in work finds meanwhile that the store is away.
        """
        if self.enter(caller):
            return
        turn = asyncio.get_running_loop().create_future()
        self._lines.setdefault(caller, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.exception() is None:  # the turn came as the request was cancelled
                self.give_back(caller)
            raise

    def give_back(self, caller: Hashable, answer_bytes: int | None = None) -> None:
        """Ends the work on a question with an answer of that size, None for an error; the next in line go on."""
        if answer_bytes is not None:
            self._remember(caller, answer_bytes)
        in_work = self._in_work[caller] - 1
        line = self._lines.get(caller)
        while line and in_work < self._most(caller):
            turn = line.popleft()
            if not turn.cancelled():
                turn.set_result(None)
                in_work += 1
        if not line:
            self._lines.pop(caller, None)
        if in_work:
            self._in_work[caller] = in_work
        else:
            del self._in_work[caller]

    def end(self, caller: Hashable, answer_bytes: int | None, error: BaseException | None) -> None:
        """Ends the work on a question with an answer of that size, or an error that others may meet as well."""
        if isinstance(error, StoreUnavailableError) and error.reason == "away":
            self.refuse(caller, error)
        self.give_back(caller, answer_bytes)

    def refuse(self, caller: Hashable, error: StoreUnavailableError) -> None:
        """Ends the wait of all in a caller's line: they ask for what has just shown to be away.

        Else a part of Redis that hangs would have them wait a second each, some at a time.
        """
        for turn in self._lines.pop(caller, ()):
            if not turn.cancelled():
                turn.set_exception(error)

    def _most(self, caller: Hashable) -> int:
        return self._policy.most_large_in_work if caller in self._with_large else self._policy.most_in_work

    def _remember(self, caller: Hashable, answer_bytes: int) -> None:
        if answer_bytes < self._policy.large_bytes:
            self._with_large.pop(caller, None)
            return
        self._with_large[caller] = None
        if len(self._with_large) > self._policy.most_remembered:
            del self._with_large[next(iter(self._with_large))]


class Turn:
    """A question's turn, as a context manager. Whoever enters it sets the size of the answer."""

    __slots__ = ("_caller", "_turns", "answer_bytes")

    def __init__(self, turns: Turns, caller: Hashable) -> None:
        self._turns = turns
        self._caller = caller
        self.answer_bytes: int | None = None

    async def __aenter__(self) -> "Turn":
        await self._turns.take(self._caller)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._turns.end(self._caller, self.answer_bytes, error)
