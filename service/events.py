"""The job event: one state transition of one job, and the order of a job's events."""

from enum import IntEnum

import msgspec

MAX_MS = 2**53 - 1
MAX_SIZE_BYTES = 2**53 - 1
MAX_SEQUENCE = 2**31 - 1


class JobStatus(IntEnum):
    """States of a job; the numbers are their rank in the version order, and what the store keeps."""

    LAUNCHING = 0
    RUNNING = 1
    CANCELING = 2
    FAILED = 3
    FINISHED = 4
    CANCELLED = 5


class JobEvent(msgspec.Struct, frozen=True, gc=False):
    """One valid job event. Times are Unix milliseconds, sizes bytes; `sequence` is 0 where the event has none."""

    project_id: str
    job_id: str
    user_id: str
    user_name: str
    status: JobStatus
    event_time_ms: int
    start_time_ms: int
    input_size_bytes: int
    sequence: int = 0


class JobDeletion(msgspec.Struct, frozen=True, gc=False):
    """A tombstone: the job no longer counts, whatever else is known or comes of it."""

    project_id: str
    job_id: str


def is_newer(event: JobEvent, known: JobEvent) -> bool:
    """Whether an event is later than another of its job: by sequence, then event time, then status.

    One that compares equal is a duplicate, and not newer.
    """
    if event.sequence != known.sequence:
        return event.sequence > known.sequence
    if event.event_time_ms != known.event_time_ms:
        return event.event_time_ms > known.event_time_ms
    return event.status > known.status
