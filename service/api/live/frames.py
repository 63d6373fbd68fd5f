"""Writes the events of a stream (https://html.spec.whatwg.org/multipage/server-sent-events.html). Pure."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from service.store.contract import Answer

Reason = Literal["expired", "revoked", "stopping", "failed"]
"""Why the service ends a stream: its token expires, or is no longer good; the process stops, or has met a fault."""


@dataclass(frozen=True)
class State:
    """What the streams of a question tell now: an answer, and an as-of at which it still held.

    Each event is written once, for however many streams. Its id is the answer's digest, which every process of the API
    gives to the same answer.
    """

    answer: Answer
    as_of_ms: int

    @property
    def id(self) -> str:
        """Returns the id of the state's events."""
        return self.answer.digest

    @cached_property
    def statistics(self) -> bytes:
        """Returns the event with the statistics. The answer's body is JSON on one line."""
        parts = self.id.encode(), self.as_of_ms, self.answer.body
        return b'event: statistics\nid: %b\ndata: {"as_of":%d,"statistics":%b}\n\n' % parts

    @cached_property
    def as_of(self) -> bytes:
        """Returns the event with the as-of alone."""
        return b'event: as_of\nid: %b\ndata: {"as_of":%d}\n\n' % (self.id.encode(), self.as_of_ms)


def end(reason: Reason) -> bytes:
    """Returns the last event of a stream. It has no id: a client keeps the one that it has."""
    return b'event: end\ndata: {"reason":"%b"}\n\n' % reason.encode()
