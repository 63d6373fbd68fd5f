"""What an answer as of an instant must hold, by when each event was acknowledged, whatever the consumers have done."""

import math
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from dataclasses import dataclass, field
from operator import itemgetter

from service.events.event import JobEvent, JobStatus
from tests.oracle import version

Place = tuple[str, JobStatus] | None  # a user's name and a status; None: not in the answer
_MOST_STATES = 20  # that a job is looked at in; one that may be in more may be anywhere


class Growing:
    """Jobs that come one after the other, and stay as they are; each has a number."""

    def __init__(self) -> None:
        self._acknowledged_ms: list[float] = []  # by number
        self._all_ms: list[float] = []  # by number: when it and all before it had been

    @property
    def sent(self) -> int:
        """How many jobs may have been published."""
        return len(self._acknowledged_ms)

    def send(self) -> int:
        """Returns the number of one more job."""
        self._acknowledged_ms.append(math.inf)
        return self.sent - 1

    def acknowledged(self, number: int, at_ms: int) -> None:
        """Takes in that a job had been acknowledged at that instant."""
        self._acknowledged_ms[number] = at_ms
        while (done := len(self._all_ms)) < self.sent and self._acknowledged_ms[done] < math.inf:
            self._all_ms.append(max(self._acknowledged_ms[done], *self._all_ms[-1:], 0))

    def least(self, as_of_ms: int, first: int) -> int:
        """How many of the first so many jobs an answer as of this instant must hold."""
        leading = min(bisect_right(self._all_ms, as_of_ms), first)
        return leading + sum(at_ms <= as_of_ms for at_ms in self._acknowledged_ms[leading:first])


@dataclass(slots=True)
class _Mover:
    """A job: its events in the order of their versions, and from when on which of them had been acknowledged."""

    events: list[JobEvent] = field(default_factory=list)
    newest: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)

    def states(self, as_of_ms: int) -> list[JobEvent] | None:
        """The events of which one is the job's in an answer as of this instant; None: nobody knows."""
        known = bisect_right(self.newest, as_of_ms, key=itemgetter(0))
        if not known:
            return None
        states = self.events[bisect_left(self.events, self.newest[known - 1][1], key=version) :]
        return states if len(states) <= _MOST_STATES else None


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many jobs are in a place for sure, and how many may be; so many of them may be anywhere."""

    jobs: int
    anywhere: int
    sure: Counter[Place]
    possible: Counter[Place]

    def least(self) -> int:
        """How many jobs there must be."""
        return self.jobs - self.anywhere - self.possible[None]

    def most(self) -> int:
        """How many jobs there may be."""
        return self.jobs - self.sure[None]

    def allow(self, place: Place, count: int) -> bool:
        """Whether so many jobs may be there."""
        return self.sure[place] <= count <= self.possible[place] + self.anywhere


class Moving:
    """The same jobs for ever, which change."""

    def __init__(self, jobs: int) -> None:
        self._jobs = [_Mover() for _ in range(jobs)]

    def send(self, number: int, event: JobEvent) -> None:
        """Takes in that an event of a job may be published."""
        insort(self._jobs[number].events, event, key=version)

    def acknowledged(self, number: int, event: JobEvent, at_ms: int) -> None:
        """Takes in that an event of a job had been acknowledged at that instant, which is none before the last one."""
        newest = self._jobs[number].newest
        newest.append((at_ms, max([version(event), *(known for _, known in newest[-1:])])))

    def bounds(self, as_of_ms: int, start_ms: int | None, end_ms: int | None, horizon_ms: int = 0) -> Bounds:
        """Where the jobs are in an answer as of this instant about this interval.

        A job that starts before the horizon counts nowhere, and may be forgotten: then an older event of it that comes
        again, and starts after the horizon, counts.
        """
        start_ms = max(start_ms or 0, horizon_ms)
        end = math.inf if end_ms is None else end_ms
        bounds, anywhere = Bounds(len(self._jobs), 0, Counter(), Counter()), 0
        for job in self._jobs:
            states = job.states(as_of_ms)
            if states is not None and any(each.start_time_ms < horizon_ms for each in states):
                states = [*states, *job.events] if len(job.events) <= _MOST_STATES else None
            if states is None:
                anywhere += 1
                continue
            places: set[Place] = {
                (each.user_name, each.status) if start_ms <= each.start_time_ms < end else None for each in states
            }
            bounds.possible.update(places)
            if len(places) == 1:
                bounds.sure.update(places)
        return Bounds(bounds.jobs, anywhere, bounds.sure, bounds.possible)
