"""The job event as a producer makes it: always valid, and with the bytes of its record."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from json import JSONEncoder
from math import isfinite

from gene_statistics.errors import InvalidEventError
from gene_statistics.instants import to_ms
from service.events.decoding import InvalidRecordError, decode
from service.events.event import JobStatus

_TOO_MUCH = 10**30
_encoder = JSONEncoder(separators=(",", ":"))


@dataclass(frozen=True, slots=True, init=False)
class JobEvent:
    """One state transition of one job. Its fields are those of the event on the wire; times are Unix milliseconds.

    `key` and `value` are the bytes of its record. `dataclasses.replace` makes another event of it, with the same
    `event_id` unless another is given.
    """

    project_id: str
    job_id: str
    user_id: str
    user_name: str
    status: str
    event_time: int
    start_time: int
    input_size: int
    sequence: int | None
    job_type: str | None
    event_id: str
    key: bytes = field(init=False, repr=False, compare=False)
    value: bytes = field(init=False, repr=False, compare=False)

    def __init__(  # noqa: PLR0913 - the fields of an event
        self,
        *,
        project_id: str,
        job_id: str,
        user_id: str,
        user_name: str,
        status: JobStatus | str,
        event_time: datetime | int,
        start_time: datetime | int,
        input_size: int,
        sequence: int | None = None,
        job_type: str | None = None,
        event_id: str | None = None,
    ) -> None:
        """Makes an event; raises InvalidEventError with the words that the consumers' decoder has for it.

        Times are datetimes with a time zone, or Unix milliseconds; `event_time` is when the transition happened,
        `start_time` when the job started. `sequence` grows by transition within a job. Without an `event_id` the event
        gets a new one.
        """
        fields: dict[str, object] = {
            "event_id": uuid.uuid4().hex if event_id is None else event_id,
            "event_time": _wire_time("event_time", event_time),
            "project_id": project_id,
            "user_id": user_id,
            "user_name": user_name,
            "job_id": job_id,
            "status": status.name if isinstance(status, JobStatus) else status,
            "start_time": _wire_time("start_time", start_time),
            "input_size": input_size,
        }
        # what is absent stays absent on the wire
        fields |= {name: given for name, given in (("job_type", job_type), ("sequence", sequence)) if given is not None}
        value = _encode(fields)
        key = f"{project_id}/{job_id}".encode(errors="surrogatepass")
        _decode(key, value)
        for name, given in {"job_type": None, "sequence": None, **fields, "key": key, "value": value}.items():
            object.__setattr__(self, name, given)


def deletion_key(project_id: str, job_id: str) -> bytes:
    """Returns the key of the record that deletes a job; raises InvalidEventError if no record can have it."""
    for name, given in (("project_id", project_id), ("job_id", job_id)):
        if not isinstance(given, str):
            raise InvalidEventError("bad_key", f"{name}: is no str")  # None is no job of the name None
    key = f"{project_id}/{job_id}".encode(errors="surrogatepass")
    _decode(key, None)
    return key


def _decode(key: bytes, value: bytes | None) -> None:
    """Decodes a record as the consumers do, which is the one judge of what is valid. Raises InvalidEventError."""
    try:
        decode(key, value)
    except InvalidRecordError as error:
        raise InvalidEventError(error.reason, error.detail) from None


def _wire_time(name: str, instant: datetime | int) -> object:
    if not isinstance(instant, datetime):
        return instant
    try:
        return to_ms(instant)
    except ValueError as error:
        raise InvalidEventError("wrong_type", f"{name}: {error}") from None


def _encode(fields: dict[str, object]) -> bytes:
    """Returns the value of the record; it is ASCII, so that every text can be encoded, and then judged."""
    return _encoder.encode({name: _plain(name, given) for name, given in fields.items()}).encode()


def _plain(name: str, given: object) -> object:
    """Returns what JSON has for a value that may be of any type. Raises InvalidEventError where JSON has nothing."""
    if type(given) is int:
        return max(-_TOO_MUCH, min(given, _TOO_MUCH))  # Python writes no number of thousands of digits
    if isinstance(given, (str, bool)) or given is None or (isinstance(given, float) and isfinite(given)):
        return given
    raise InvalidEventError("wrong_type", f"{name}: {type(given).__name__} is no type of JSON, or not finite")
