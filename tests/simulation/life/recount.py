"""Counts anew what answers must say, by the horizon that each of them names. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from service.events.event import JobDeletion, JobEvent
from tests.end_to_end.asking import Question
from tests.end_to_end.traffic import Event
from tests.oracle import Oracle, latest_events

Job = tuple[str, str]


class Recount:
    """Knows all events that count.

    A job whose latest event starts before the horizon counts nowhere. It may be forgotten, and then an older event that
    is read again and starts later counts: of such a job, and of a deleted one, nobody knows where it is.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        self._latest = latest_events(events)
        self._of_jobs: dict[Job, list[JobEvent]] = defaultdict(list)
        for event in events:
            if not isinstance(event, JobDeletion):
                self._of_jobs[event.project_id, event.job_id].append(event)
        self._names = {(event.project_id, event.user_name) for event in events if isinstance(event, JobEvent)}
        self._at = cache(self._split)

    def _split(self, horizon_ms: int) -> tuple[Oracle, list[JobEvent]]:
        """Returns the oracle of the jobs that are known for sure, and all events of the others that may count."""
        unsure = {job for job in self._of_jobs if self._is_unsure(job, horizon_ms)}
        events = [event for job in unsure for event in self._of_jobs[job] if event.start_time_ms >= horizon_ms]
        return Oracle([event for event in self.events if (event.project_id, event.job_id) not in unsure]), events

    def _is_unsure(self, job: Job, horizon_ms: int) -> bool:
        if job in self._latest:
            return self._latest[job].start_time_ms < horizon_ms
        return any(event.start_time_ms < horizon_ms for event in self._of_jobs[job])

    def check(self, question: Question, horizon_ms: int, body: dict[str, Any]) -> None:
        """Raises AssertionError unless an answer is what it must be."""
        project, start_ms, end_ms, user = question
        start_ms = start_ms if horizon_ms == 0 else max(start_ms or 0, horizon_ms)
        oracle, unsure = self._at(horizon_ms)
        expected: dict[str, Any] = oracle.answer(project, start_ms, end_ms, user)
        in_range = [
            event
            for event in unsure
            if event.project_id == project
            and user in (None, event.user_id)
            and (start_ms or 0) <= event.start_time_ms
            and (end_ms is None or event.start_time_ms < end_ms)
        ]
        if horizon_ms == 0:
            assert body == expected, (question, body, expected)
        elif in_range:
            jobs = len({event.job_id for event in in_range})
            least, count = _jobs(expected), _jobs(body)
            assert least <= count <= least + jobs, (question, horizon_ms, least, jobs, body)
        else:  # what names a user may have been forgotten
            assert all((project, each["user_name"]) in self._names for each in body.get("users", ())), body
            assert _nameless(body) == _nameless(expected), (question, horizon_ms, body, expected)

    def check_series(self, project: str, horizon_ms: int, points: Sequence[Mapping[str, Any]]) -> None:
        """Raises AssertionError unless the points of a project are what they must be, where they are known for sure."""
        oracle, unsure = self._at(horizon_ms)
        borders = [point["start"] for point in points] + [points[-1]["end"]]
        assert [point["end"] for point in points] == borders[1:], (project, borders)
        of_project = [event for event in unsure if event.project_id == project]
        if any(borders[0] <= event.start_time_ms < borders[-1] for event in of_project):
            return
        cut = [max(border, horizon_ms) for border in borders]
        expected = oracle.series(project, cut)
        found = [{name: point[name] for name in point if name.endswith(("_num", "_size"))} for point in points]
        assert found == expected, (project, horizon_ms, borders, found, expected)


def _jobs(body: Mapping[str, Any]) -> int:
    return sum(int(body[name]) for name in body if name.endswith("_num") and name != "total_user_num")


def _nameless(body: dict[str, Any]) -> dict[str, Any]:
    users = [sorted((name, each[name]) for name in each if name != "user_name") for each in body.get("users", ())]
    return {**body, "users": sorted(users)}
