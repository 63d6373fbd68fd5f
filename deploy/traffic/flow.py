"""Generates the stream of records: a history that ends now, and live records after it.

Pure: the caller passes in the time, and the seed of all chance.
"""

import heapq
from random import Random

from deploy.traffic.lifecycle import DAY_MS, Record, Submission, records_of_job
from deploy.traffic.population import PROJECTS, Project, User

HISTORY_DAYS = 120
HISTORY_JOBS = 19_000
LIVE_JOBS_PER_SECOND = 1.2
# Live jobs take seconds where those of the history took minutes, so that a person who watches sees them end.
LIVE_PACE = 60.0
HOUR_MS = 3600 * 1000
WEEKEND_ACTIVITY = 0.25
# How busy each hour of the day is (UTC), relative to the busiest.
HOURLY_ACTIVITY = (
    *(0.15, 0.2, 0.3, 0.45, 0.4, 0.4, 0.5, 0.65, 0.85, 1.0, 0.95, 0.8),
    *(0.75, 0.85, 0.9, 0.8, 0.6, 0.45, 0.35, 0.3, 0.25, 0.25, 0.2, 0.15),
)


class Traffic:
    """Produces the records in the order in which they are published; the same seed and end give the same traffic."""

    def __init__(self, seed: int, history_end_ms: int) -> None:
        self._rng = Random(seed)
        self._history_end_ms = history_end_ms
        self._next_submission_ms = history_end_ms
        self._count = 0
        # This heap is ordered by time; the count keeps records of the same millisecond in their order.
        self._to_publish: list[tuple[int, int, Record]] = []

    def history(self) -> list[Record]:
        """Returns the records published before the history's end; `due` returns the later records of the same jobs."""
        for _ in range(HISTORY_JOBS):
            self._submit(self._historic_submission_ms(), pace=1.0)
        return self._take_until(self._history_end_ms)

    def due(self, now_ms: int) -> list[Record]:
        """Returns the records published from the last call until `now_ms`."""
        while self._next_submission_ms < now_ms:
            self._submit(self._next_submission_ms, LIVE_PACE)
            self._next_submission_ms += 1 + round(self._rng.expovariate(LIVE_JOBS_PER_SECOND) * 1000)
        return self._take_until(now_ms)

    def _submit(self, submitted_ms: int, pace: float) -> None:
        project = self._rng.choices(PROJECTS, [each.weight for each in PROJECTS])[0]
        user = self._rng.choices(project.users, _shares(project))[0]
        submission = Submission(project, user, self._name(user, submitted_ms), submitted_ms, pace)
        for record in records_of_job(self._rng, submission):
            self._count += 1
            heapq.heappush(self._to_publish, (record.publish_ms, self._count, record))

    def _take_until(self, end_ms: int) -> list[Record]:
        taken = []
        while self._to_publish and self._to_publish[0][0] < end_ms:
            taken.append(heapq.heappop(self._to_publish)[2])
        return taken

    def _historic_submission_ms(self) -> int:
        while True:
            at_ms = self._history_end_ms - 1 - self._rng.randrange(HISTORY_DAYS * DAY_MS)
            if self._rng.random() < activity(at_ms):
                return at_ms

    def _name(self, user: User, at_ms: int) -> str:
        renamed_ms = self._history_end_ms - user.renamed_days_ago * DAY_MS
        return user.new_name if user.new_name is not None and at_ms >= renamed_ms else user.name


def activity(at_ms: int) -> float:
    """Returns how busy this instant of the day and the week is, from 0 to 1."""
    weekday = (at_ms // DAY_MS + 3) % 7  # 1 January 1970 was a Thursday
    hourly = HOURLY_ACTIVITY[at_ms // HOUR_MS % 24]
    return hourly * WEEKEND_ACTIVITY if weekday >= 5 else hourly


def _shares(project: Project) -> list[float]:
    return [1 / rank for rank in range(1, len(project.users) + 1)]
