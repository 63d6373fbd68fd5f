"""The job event, the deletion of a job, and the version order of a job's events.

Decoding makes these objects from records; the fold keeps the latest of each job.
"""

from enum import IntEnum
from functools import lru_cache
from hashlib import blake2b

import msgspec

MAX_MS = 2**53 - 1
MAX_SIZE_BYTES = 2**53 - 1
MAX_SEQUENCE = 2**31 - 1


class JobStatus(IntEnum):
    """A status of a job; its number is its rank in the version order, and what the store keeps."""

    LAUNCHING = 0
    RUNNING = 1
    CANCELING = 2
    FAILED = 3
    FINISHED = 4
    CANCELLED = 5


class JobEvent(msgspec.Struct, frozen=True, gc=False):
    """A valid job event. Times are Unix milliseconds, sizes bytes; `sequence` is 0 where the event has none."""

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
    """The deletion of a job, from a tombstone: the job no longer counts, whatever events of it are stored or come."""

    project_id: str
    job_id: str


@lru_cache(maxsize=65_536)
def user_number(user_id: str) -> int:
    """Returns the 48-bit digest that stands for a user in the store (the user key), and that breaks version ties."""
    return int.from_bytes(blake2b(user_id.encode(), digest_size=6).digest(), "little")


def is_newer(event: JobEvent, known: JobEvent) -> bool:
    """Tells whether an event is later than another of its job: by sequence, then event time, then status.

    Where all three are equal, the greater start time wins, then the greater size, then the greater user number. So the
    latest of a set of events does not depend on the order in which they come. An event that equals the known one in
    all of these is a duplicate, and not newer.
    """
    if event.sequence != known.sequence:
        return event.sequence > known.sequence
    if event.event_time_ms != known.event_time_ms:
        return event.event_time_ms > known.event_time_ms
    if event.status != known.status:
        return event.status > known.status
    return _tie_break(event) > _tie_break(known)


def _tie_break(event: JobEvent) -> tuple[int, int, int]:
    return event.start_time_ms, event.input_size_bytes, user_number(event.user_id)
