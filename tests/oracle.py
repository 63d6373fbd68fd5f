"""Brute force over the events: what every answer must equal. Knows the contract, and nothing of the store."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b

from service.events.event import JobDeletion, JobEvent, JobStatus

Events = Iterable[JobEvent | JobDeletion]


def version(event: JobEvent) -> tuple[int, ...]:
    """What orders the events of one job; the greatest is the latest, equal ones are duplicates.

    The last item is the fixed order of users: the digest of the id as a little-endian number.
    """
    user = _order(event.user_id)
    return event.sequence, event.event_time_ms, event.status, event.start_time_ms, event.input_size_bytes, user


@lru_cache
def _order(user_id: str) -> int:
    return int.from_bytes(blake2b(user_id.encode(), digest_size=6).digest(), "little")


def latest_events(events: Events) -> dict[tuple[str, str], JobEvent]:
    """The latest event of each job that was not deleted, by (project id, job id)."""
    latest: dict[tuple[str, str], JobEvent] = {}
    deleted: set[tuple[str, str]] = set()
    for event in events:
        job = event.project_id, event.job_id
        if isinstance(event, JobDeletion):
            deleted.add(job)
        elif job not in latest or version(event) > version(latest[job]):
            latest[job] = event
    return {job: event for job, event in latest.items() if job not in deleted}


def names(events: Events) -> dict[tuple[str, str], str]:
    """The name of each user, by (project id, user id)."""
    named: dict[tuple[str, str], tuple[int, str]] = {}
    for event in events:
        if isinstance(event, JobEvent):
            user = event.project_id, event.user_id
            named[user] = max(named.get(user, (-1, "")), (event.event_time_ms, event.user_name))
    return {user: name for user, (_, name) in named.items()}


class Oracle:
    """Answers of the statistics API over a fixed set of events."""

    def __init__(self, events: Events) -> None:
        known = list(events)
        self._latest: dict[str, list[JobEvent]] = defaultdict(list)
        for (project_id, _), event in latest_events(known).items():
            self._latest[project_id].append(event)
        self._names = names(known)

    def answer(
        self, project_id: str, start_ms: int | None = None, end_ms: int | None = None, user_id: str | None = None
    ) -> dict[str, object]:
        """The body that the API must give; for a sub-user if `user_id` is given."""
        jobs: dict[str, list[JobEvent]] = defaultdict(list)
        for event in self._latest[project_id]:
            after_start = start_ms is None or start_ms <= event.start_time_ms
            before_end = end_ms is None or event.start_time_ms < end_ms
            if after_start and before_end and user_id in (None, event.user_id):
                jobs[event.user_id].append(event)
        order = sorted((self._names[project_id, user], user) for user in jobs)
        users = [{"user_name": name, **_counts(jobs[user])} for name, user in order]
        totals = _counts([event for events in jobs.values() for event in events])
        body: dict[str, object] = {"total_user_num": len(users), **{f"total_{k}": v for k, v in totals.items()}}
        return {**body, "total_user_num": 1} if user_id is not None else {"users": users, **body}

    def series(
        self, project_id: str, borders_ms: Sequence[int], user_id: str | None = None, user_name: str | None = None
    ) -> list[dict[str, int]]:
        """What each interval between borders counts: of all jobs, or of those of a user, or of users with a name."""
        intervals: list[list[JobEvent]] = [[] for _ in borders_ms[1:]]
        for event in self._latest[project_id]:
            is_of = user_id in (None, event.user_id) and user_name in (None, self._names[project_id, event.user_id])
            if is_of and borders_ms[0] <= event.start_time_ms < borders_ms[-1]:
                intervals[bisect_right(borders_ms, event.start_time_ms) - 1].append(event)
        return [_counts(jobs) for jobs in intervals]


def _counts(jobs: list[JobEvent]) -> dict[str, int]:
    counts = {f"{status.name.lower()}_num": sum(job.status == status for job in jobs) for status in JobStatus}
    return {**counts, "input_size": sum(job.input_size_bytes for job in jobs)}
