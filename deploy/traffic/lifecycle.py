"""Generates the life of one job, as the records that the platform's backend publishes.

Pure: the caller passes in the time and the random numbers.
"""

import math
import uuid
from dataclasses import dataclass, replace
from random import Random

import msgspec

from deploy.traffic.population import JOB_TYPES, JobType, Project, User
from service.events.event import JobStatus

DAY_MS = 24 * 3600 * 1000
MINUTE_MS = 60_000
LAUNCH_MINUTES = 0.6
SPREAD = 0.7  # the sigma of the log-normal durations and sizes

CANCELLED_SHARE = 0.05
START_CORRECTED_SHARE = 0.08
SIZE_CORRECTED_SHARE = 0.03
DUPLICATED_SHARE = 0.015
LATE_SHARE = 0.01
DELETED_SHARE = 0.003


class EventValue(msgspec.Struct, frozen=True):
    """Holds a job event as it lies in the topic: times in Unix milliseconds, the size in bytes."""

    event_id: str
    event_time: int
    project_id: str
    user_id: str
    user_name: str
    job_id: str
    job_type: str
    status: str
    start_time: int
    input_size: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Record:
    """Holds what is published at `publish_ms` under the key of a job; without a value it is a tombstone."""

    publish_ms: int
    project_id: str
    job_id: str
    value: EventValue | None


@dataclass(frozen=True, slots=True)
class Submission:
    """Describes a job that a user submits; all its durations are divided by `pace`."""

    project: Project
    user: User
    user_name: str
    submitted_ms: int
    pace: float = 1.0


def records_of_job(rng: Random, submission: Submission) -> list[Record]:
    """Returns all records of one job: its transitions, some of them twice or late, and for a few jobs a deletion."""
    job_type = rng.choices(JOB_TYPES, [each.weight for each in JOB_TYPES])[0]
    job_id = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    records = []
    for value in _transitions(rng, submission, job_type, job_id):
        delay_ms = rng.randrange(5, 400)
        if rng.random() < LATE_SHARE:
            delay_ms += round(3 * MINUTE_MS / submission.pace)
        records.append(Record(value.event_time + delay_ms, value.project_id, job_id, value))
    records += [
        replace(record, publish_ms=record.publish_ms + rng.randrange(1000, 20_000))
        for record in records
        if rng.random() < DUPLICATED_SHARE
    ]
    if rng.random() < DELETED_SHARE:
        deleted_ms = records[-1].publish_ms + round(rng.uniform(0.1, 9) * DAY_MS / submission.pace)
        records.append(Record(deleted_ms, submission.project.project_id, job_id, None))
    return records


def _transitions(rng: Random, submission: Submission, job_type: JobType, job_id: str) -> list[EventValue]:
    start_ms = submission.submitted_ms
    size_bytes = round(_log_normal(rng, job_type.input_gigabytes) * 1e9)
    values: list[EventValue] = []
    for sequence, (status, event_ms) in enumerate(_states(rng, submission, job_type), start=1):
        if status is JobStatus.RUNNING and rng.random() < START_CORRECTED_SHARE:
            start_ms = event_ms
        if sequence > 1 and rng.random() < SIZE_CORRECTED_SHARE:
            size_bytes += rng.randrange(size_bytes // 10 + 1)
        values.append(
            EventValue(
                event_id=f"{rng.getrandbits(128):032x}",
                event_time=event_ms,
                project_id=submission.project.project_id,
                user_id=submission.user.user_id,
                user_name=submission.user_name,
                job_id=job_id,
                job_type=job_type.name,
                status=status.name,
                start_time=start_ms,
                input_size=size_bytes,
                sequence=sequence,
            )
        )
    return values


def _states(rng: Random, submission: Submission, job_type: JobType) -> list[tuple[JobStatus, int]]:
    """Returns the states of a job in their order, each with the instant when it begins."""

    def later(after_ms: int, minutes: float) -> int:
        return after_ms + 1 + round(_log_normal(rng, minutes) * MINUTE_MS / submission.pace)

    states = [(JobStatus.LAUNCHING, submission.submitted_ms)]
    running_ms = later(submission.submitted_ms, LAUNCH_MINUTES)
    cancelled = rng.random() < CANCELLED_SHARE
    if not cancelled or rng.random() < 0.7:
        states.append((JobStatus.RUNNING, running_ms))
    if cancelled:
        canceling_ms = later(running_ms, job_type.run_minutes / 3)
        states.append((JobStatus.CANCELING, canceling_ms))
        states.append((JobStatus.CANCELLED, later(canceling_ms, 0.5)))
    elif rng.random() < job_type.failed_share:
        states.append((JobStatus.FAILED, later(running_ms, job_type.run_minutes / 2)))
    else:
        states.append((JobStatus.FINISHED, later(running_ms, job_type.run_minutes)))
    return states


def _log_normal(rng: Random, median: float) -> float:
    return rng.lognormvariate(math.log(median), SPREAD)
