"""Remembers the bodies of answers; one is valid while the project's write id, live generation and horizon stay."""

from collections import OrderedDict
from typing import NamedTuple

from service.store.layout.heads import Live


class Question(NamedTuple):
    """A question about a project's jobs in an interval; `user_id` is None for an administrator."""

    project_id: str
    start_ms: int
    end_ms: int
    user_id: str | None


class Stamp(NamedTuple):
    """What an answer depends on: the project's write id, and the live generation and horizon of its stripe's head."""

    write_id: bytes
    live: Live


class Remembered(NamedTuple):
    """The body of an answer, its digest, and the stamp that it is valid for."""

    stamp: Stamp
    body: bytes
    digest: str


_ENTRY_BYTES = 600  # the memory that an answer takes beside its body, roughly


class AnswerCache:
    """Keeps the answers that were asked for last, up to `max_bytes` bytes."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._answers: OrderedDict[Question, Remembered] = OrderedDict()

    def get(self, question: Question) -> Remembered | None:
        """Returns what is remembered of the answer to a question, or None."""
        found = self._answers.get(question)
        if found is not None:
            self._answers.move_to_end(question)
        return found

    def put(self, question: Question, answer: Remembered) -> None:
        """Remembers an answer unless it is too large; forgets the answers not asked for longest to make room."""
        self._forget(self._answers.pop(question, None))
        if len(answer.body) > self._max_bytes // 8:
            return
        self._answers[question] = answer
        self._bytes += len(answer.body) + _ENTRY_BYTES
        while self._bytes > self._max_bytes:
            self._forget(self._answers.popitem(last=False)[1])

    def _forget(self, answer: Remembered | None) -> None:
        if answer is not None:
            self._bytes -= len(answer.body) + _ENTRY_BYTES
