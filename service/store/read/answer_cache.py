"""Remembers the bodies of answers; one is valid while the project's write id, live generation and horizon stay."""

from typing import NamedTuple

from service.store.layout.heads import Live
from service.store.read.bounded import Bounded


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


_ANSWER_BYTES = 900  # that an answer takes beside its body: the question, the stamp, the digest, and objects


class AnswerCache:
    """Keeps the answers that were asked for last, up to `max_bytes` bytes."""

    def __init__(self, max_bytes: int) -> None:
        self._answers: Bounded[Question, Remembered] = Bounded(max_bytes)

    @property
    def size_bytes(self) -> int:
        """Returns how many bytes are taken now."""
        return self._answers.size_bytes

    def get(self, question: Question) -> Remembered | None:
        """Returns what is remembered of the answer to a question, or None."""
        return self._answers.get(question)

    def forget(self, question: Question) -> None:
        """Forgets the answer to a question."""
        self._answers.forget(question)

    def put(self, question: Question, answer: Remembered) -> None:
        """Remembers an answer unless it is too large; forgets the answers not asked for longest to make room."""
        self._answers.put(question, answer, len(answer.body) + _ANSWER_BYTES)
