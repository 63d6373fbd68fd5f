"""Bodies of answers given before, each named by the write that the project was at: another write, another answer."""

from collections import OrderedDict
from typing import NamedTuple

from service.store.layout.heads import Live


class Question(NamedTuple):
    """What was asked; `user_id` is None for an administrator."""

    project_id: str
    start_ms: int
    end_ms: int
    user_id: str | None


class Stamp(NamedTuple):
    """What an answer was made from: the project's last write, and what its stripe's head said."""

    write_id: bytes
    live: Live


_ENTRY_BYTES = 500  # what an entry takes beside its body, roughly


class AnswerCache:
    """The answers asked for last, up to so many bytes."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._answers: OrderedDict[Question, tuple[Stamp, bytes]] = OrderedDict()

    def get(self, question: Question) -> tuple[Stamp, bytes] | None:
        """What the answer was made from, and the body; None if it is not remembered."""
        found = self._answers.get(question)
        if found is not None:
            self._answers.move_to_end(question)
        return found

    def put(self, question: Question, stamp: Stamp, body: bytes) -> None:
        """Remembers an answer, and forgets the oldest ones for it; one that is too large is not remembered."""
        self._forget(self._answers.pop(question, None))
        if len(body) > self._max_bytes // 8:
            return
        self._answers[question] = stamp, body
        self._bytes += len(body) + _ENTRY_BYTES
        while self._bytes > self._max_bytes:
            self._forget(self._answers.popitem(last=False)[1])

    def _forget(self, answer: tuple[Stamp, bytes] | None) -> None:
        if answer is not None:
            self._bytes -= len(answer[1]) + _ENTRY_BYTES
