"""Defines the format of a job event on the wire: every field, its bounds and its meaning.

The model decides what is a valid event, and documents the format (`JobEventModel.model_json_schema()`).
`service.events.decoding` has a faster way to the same verdict.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.events.event import MAX_MS, MAX_SEQUENCE, MAX_SIZE_BYTES, JobEvent, JobStatus

MAX_TEXT_CHARS = 64
MAX_USER_NAME_CHARS = 128
ID_PATTERN = r"^[A-Za-z0-9_-]+$"
USER_NAME_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]+$"  # no control character, that is none of Unicode's category Cc

StatusName = Literal["LAUNCHING", "RUNNING", "CANCELING", "FAILED", "FINISHED", "CANCELLED"]

# In some dialects of regular expressions `$` also matches before a last line break. What a schema says by `not` is
# the same in all of them.
_NO_OTHER_CHARACTERS = {"not": {"pattern": "[^A-Za-z0-9_-]"}}
_NO_CONTROL_CHARACTERS = {"not": {"pattern": r"[\x00-\x1f\x7f-\x9f]"}}
_INT64, _INT32 = {"format": "int64"}, {"format": "int32"}

Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT_CHARS)]
Id = Annotated[
    str,
    Field(min_length=1, max_length=MAX_TEXT_CHARS, pattern=ID_PATTERN, json_schema_extra=_NO_OTHER_CHARACTERS),
]
UserName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_USER_NAME_CHARS,
        pattern=USER_NAME_PATTERN,
        json_schema_extra=_NO_CONTROL_CHARACTERS,
    ),
]
Milliseconds = Annotated[int, Field(ge=0, le=MAX_MS, json_schema_extra=_INT64)]
Bytes = Annotated[int, Field(ge=0, le=MAX_SIZE_BYTES, json_schema_extra=_INT64)]
Sequence = Annotated[int, Field(ge=1, le=MAX_SEQUENCE, json_schema_extra=_INT32)]

EXAMPLE: Mapping[str, str | int] = {
    "event_id": "5b0e8f6c3d5f4f6f9a51f6a8f0c2d7e4",
    "event_time": 1_795_000_001_000,
    "project_id": "acme",
    "user_id": "u-17",
    "user_name": "chen.wei",
    "job_id": "0b6f9a52-4a0c-4c3e-8d55-6f1f2b7f6a10",
    "job_type": "DNA_GERMLINE",
    "status": "RUNNING",
    "start_time": 1_795_000_000_000,
    "input_size": 729_092_919,
    "sequence": 2,
}
"""An event as it is on the wire, for the documents."""


class JobEventModel(BaseModel):
    """One state transition of one job, as the platform publishes it.

    Nothing is coerced: `1.0` and `"1"` are no integers. Unknown fields are ignored, whatever they hold; of a
    field that is there twice, the last counts. Lengths are in characters (Unicode code points).
    """

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    event_id: Text = Field(description="the event's own id")
    event_time: Milliseconds = Field(description="when the transition happened, Unix milliseconds")
    project_id: Id = Field(description="the project in which the job was submitted")
    user_id: Id = Field(description="the user who submitted the job")
    user_name: UserName = Field(description="the user's name at the time of the event; no control characters")
    job_id: Id = Field(description="the job, unique in its project; in practice a UUID")
    job_type: Text | None = Field(
        default=None, description="what the job computes, such as DNA_GERMLINE; null is the same as absent"
    )
    status: StatusName = Field(description="the state the job is in now")
    start_time: Milliseconds = Field(
        description="when the job started, Unix milliseconds; a later event may correct it"
    )
    input_size: Bytes = Field(description="size of the job's input in bytes; a later event may correct it")
    sequence: Sequence | None = Field(
        default=None, description="grows by transition within a job; null is the same as absent"
    )

    def to_event(self) -> JobEvent:
        """Returns the event as the type that the rest of the project uses."""
        return JobEvent(
            project_id=self.project_id,
            job_id=self.job_id,
            user_id=self.user_id,
            user_name=self.user_name,
            status=JobStatus[self.status],
            event_time_ms=self.event_time,
            start_time_ms=self.start_time,
            input_size_bytes=self.input_size,
            sequence=self.sequence or 0,
        )
