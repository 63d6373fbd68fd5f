"""Recounts what a project's statistics must be after given records, so that the API's answers can be checked."""

from collections import defaultdict
from collections.abc import Iterable

from deploy.traffic.lifecycle import EventValue, Record
from service.events.event import JobStatus

Totals = dict[str, int]
JobKey = tuple[str, str]


def totals_by_project(records: Iterable[Record]) -> dict[str, Totals]:
    """Returns for each project with a job the totals, under the names that the API's answer has."""
    latest: dict[JobKey, EventValue] = {}
    deleted: set[JobKey] = set()
    for record in records:
        key = (record.project_id, record.job_id)
        if record.value is None:
            deleted.add(key)
        elif key not in latest or _version(latest[key]) < _version(record.value):
            latest[key] = record.value
    jobs: defaultdict[str, list[EventValue]] = defaultdict(list)
    for (project_id, job_id), value in latest.items():
        if (project_id, job_id) not in deleted:
            jobs[project_id].append(value)
    return {project_id: _totals(values) for project_id, values in jobs.items()}


def _version(value: EventValue) -> tuple[int, int, JobStatus]:
    return value.sequence, value.event_time, JobStatus[value.status]


def _totals(jobs: list[EventValue]) -> Totals:
    counts = {
        f"total_{status.name.lower()}_num": sum(job.status == status.name for job in jobs) for status in JobStatus
    }
    return {
        **counts,
        "total_user_num": len({job.user_id for job in jobs}),
        "total_input_size": sum(job.input_size for job in jobs),
    }
