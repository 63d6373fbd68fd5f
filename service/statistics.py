"""Models of what the API answers: the number of jobs in each status and the bytes of their input, per user and in all.

The OpenAPI description is made from these models; `service.store.read.answers` writes the same JSON without them.
"""

from pydantic import BaseModel, ConfigDict, Field


class UserStatistics(BaseModel):
    """The jobs of one user in the interval asked for."""

    model_config = ConfigDict(frozen=True)

    user_name: str = Field(description="the user's name")
    launching_num: int = Field(ge=0, description="jobs in state launching")
    running_num: int = Field(ge=0, description="jobs in state running")
    failed_num: int = Field(ge=0, description="jobs in state failed")
    finished_num: int = Field(ge=0, description="jobs in state finished")
    canceling_num: int = Field(ge=0, description="jobs in state canceling")
    cancelled_num: int = Field(ge=0, description="jobs in state cancelled")
    input_size: int = Field(ge=0, description="bytes of input of all these jobs, exact beyond 2^53")


class ProjectStatistics(BaseModel):
    """The jobs of a project in the interval asked for; `users` is absent for a sub-user."""

    model_config = ConfigDict(frozen=True)

    users: list[UserStatistics] | None = Field(
        default=None,
        description="one row for each user with a job in the interval, by name; tenant administrators only",
    )
    total_user_num: int = Field(ge=0, description="users with a job in the interval; 1 for a sub-user")
    total_launching_num: int = Field(ge=0, description="jobs in state launching")
    total_running_num: int = Field(ge=0, description="jobs in state running")
    total_failed_num: int = Field(ge=0, description="jobs in state failed")
    total_finished_num: int = Field(ge=0, description="jobs in state finished")
    total_canceling_num: int = Field(ge=0, description="jobs in state canceling")
    total_cancelled_num: int = Field(ge=0, description="jobs in state cancelled")
    total_input_size: int = Field(ge=0, description="bytes of input of all these jobs, exact beyond 2^53")
