"""Models of what the API answers: the number of jobs in each status and the bytes of their input, per user and in all.

The OpenAPI description is made from these models; `service.store.read.answers` writes the same JSON without them.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from service.calendar import Interval

# Without a format, generated clients of several languages would read numbers into 32 bits.
WholeNumber = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]
# The service adds no key to these bodies. That is promised to readers, and not asked of them: a model ignores others.
_CLOSED: JsonDict = {"additionalProperties": False}


class UserStatistics(BaseModel):
    """The jobs of one user in the interval asked for."""

    model_config = ConfigDict(frozen=True, json_schema_extra=_CLOSED)

    user_name: str = Field(description="the user's name")
    launching_num: WholeNumber = Field(description="jobs in state launching")
    running_num: WholeNumber = Field(description="jobs in state running")
    failed_num: WholeNumber = Field(description="jobs in state failed")
    finished_num: WholeNumber = Field(description="jobs in state finished")
    canceling_num: WholeNumber = Field(description="jobs in state canceling")
    cancelled_num: WholeNumber = Field(description="jobs in state cancelled")
    input_size: WholeNumber = Field(description="bytes of input of all these jobs, exact beyond 2^53")


class ProjectStatistics(BaseModel):
    """The jobs of a project in the interval asked for; `users` is absent for a sub-user."""

    model_config = ConfigDict(frozen=True, json_schema_extra=_CLOSED)

    users: list[UserStatistics] | None = Field(
        default=None,
        description="one row for each user with a job in the interval, by name; tenant administrators only",
    )
    total_user_num: WholeNumber = Field(description="users with a job in the interval; 1 for a sub-user")
    total_launching_num: WholeNumber = Field(description="jobs in state launching")
    total_running_num: WholeNumber = Field(description="jobs in state running")
    total_failed_num: WholeNumber = Field(description="jobs in state failed")
    total_finished_num: WholeNumber = Field(description="jobs in state finished")
    total_canceling_num: WholeNumber = Field(description="jobs in state canceling")
    total_cancelled_num: WholeNumber = Field(description="jobs in state cancelled")
    total_input_size: WholeNumber = Field(description="bytes of input of all these jobs, exact beyond 2^53")


class TimeSeriesPoint(BaseModel):
    """The jobs of one stretch of the interval asked for, [start, end)."""

    model_config = ConfigDict(frozen=True, json_schema_extra=_CLOSED)

    start: WholeNumber = Field(description="Unix ms at which the stretch begins")
    end: WholeNumber = Field(description="Unix ms at which it has ended; the next stretch begins there")
    is_partial: bool = Field(description="whether the stretch is cut by a bound of the interval, or has not ended yet")
    launching_num: WholeNumber = Field(description="jobs in state launching")
    running_num: WholeNumber = Field(description="jobs in state running")
    failed_num: WholeNumber = Field(description="jobs in state failed")
    finished_num: WholeNumber = Field(description="jobs in state finished")
    canceling_num: WholeNumber = Field(description="jobs in state canceling")
    cancelled_num: WholeNumber = Field(description="jobs in state cancelled")
    input_size: WholeNumber = Field(description="bytes of input of all these jobs, exact beyond 2^53")


class TimeSeries(BaseModel):
    """The jobs of a project by stretches of time, without gap or overlap, all of one instant."""

    model_config = ConfigDict(frozen=True, json_schema_extra=_CLOSED)

    interval: Interval = Field(description="the length of a stretch")
    time_zone: str = Field(description="the zone whose clock and calendar the stretches follow, by its IANA name")
    points: list[TimeSeriesPoint] = Field(description="the stretches in their order, also those without jobs")
