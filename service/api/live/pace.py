"""Decides which event a stream sends next, and when. Pure: times are passed in, in seconds of one clock."""

from dataclasses import dataclass

from service.api.live.frames import State


@dataclass(frozen=True, slots=True)
class Pace:
    """Says how often streams are served; all in seconds.

    A project is looked at every `look`, or so that a process looks at most `most_looks` times a second. Two events with
    statistics are at least `look` apart, and two that tell of a newer as-of at least `as_of`. After `silence` an event
    comes though nothing has changed. A token is checked again every `check`.
    """

    look: float = 0.25
    as_of: float = 1.0
    silence: float = 10.0
    check: float = 15.0
    most_looks: int = 1_000

    def between_looks(self, watched: int, round_seconds: float) -> float:
        """Returns the pause after a round of questions, so that a project takes a quarter of the time at most."""
        return max(self.look, watched / self.most_looks, 3 * round_seconds)


class Cursor:
    """Remembers what one stream has sent: of all states that come meanwhile the newest is sent, and no other."""

    __slots__ = ("_as_of_ms", "_id", "_pace", "_sent_at", "_statistics_at")

    def __init__(self, pace: Pace, last_event_id: str | None) -> None:
        self._pace = pace
        self._id = last_event_id
        self._as_of_ms = -1
        self._sent_at = self._statistics_at = float("-inf")

    def next(self, state: State, now: float) -> tuple[bytes | None, float]:
        """Returns the event to send now, if any, and for how many seconds there is none after it.

        A client that comes back with the id of the answer as it is has that answer, so it is told of the as-of alone.
        """
        if state.id != self._id:
            wait = self._statistics_at + self._pace.look - now
            if wait > 0:
                return None, wait
            self._id, self._statistics_at = state.id, now
            return self._sent(state.statistics, state.as_of_ms, now)
        is_newer = state.as_of_ms != self._as_of_ms
        wait = self._sent_at + (self._pace.as_of if is_newer else self._pace.silence) - now
        if wait > 0:
            return None, wait
        return self._sent(state.as_of, state.as_of_ms, now)

    def _sent(self, event: bytes, as_of_ms: int, now: float) -> tuple[bytes, float]:
        self._sent_at, self._as_of_ms = now, as_of_ms
        return event, 0.0
