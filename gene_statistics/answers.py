"""What the API answers, as the library gives it: the API's own models, with the instant that they are of."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from gene_statistics.instants import LAST_MS, from_ms
from service.statistics import ProjectStatistics

UnixMs = Annotated[int, Field(ge=0, le=LAST_MS)]


class Freshness(BaseModel):
    """How fresh an answer is, and what it may lack.

    Every event that was published before `as_of_ms` is in it. Jobs from before `horizon_ms` are no longer kept; it is
    None where that does not touch the interval. `gaps` is how many ranges of events were lost before they were read.
    """

    model_config = ConfigDict(frozen=True)

    as_of_ms: UnixMs
    horizon_ms: UnixMs | None = None
    gaps: int = Field(0, ge=0)

    @property
    def as_of(self) -> datetime:
        """Returns `as_of_ms` as a datetime in UTC."""
        return from_ms(self.as_of_ms)

    @property
    def horizon(self) -> datetime | None:
        """Returns `horizon_ms` as a datetime in UTC."""
        return None if self.horizon_ms is None else from_ms(self.horizon_ms)


class Statistics(ProjectStatistics, Freshness):
    """The jobs of a project in the interval asked for; `users` is None for a sub-user."""


class TimeSeriesPoint(BaseModel):
    """The jobs of one stretch of the interval asked for, [start, end).

    `is_partial` says that the stretch is cut by a bound of the interval, or has not ended yet.
    """

    model_config = ConfigDict(frozen=True)

    start_ms: int = Field(alias="start", ge=0)
    end_ms: int = Field(alias="end", ge=0)
    is_partial: bool
    launching_num: int = Field(ge=0)
    running_num: int = Field(ge=0)
    failed_num: int = Field(ge=0)
    finished_num: int = Field(ge=0)
    canceling_num: int = Field(ge=0)
    cancelled_num: int = Field(ge=0)
    input_size: int = Field(ge=0)

    @property
    def start(self) -> datetime:
        """Returns `start_ms` as a datetime in UTC; raises OverflowError after the year 9999."""
        return from_ms(self.start_ms)

    @property
    def end(self) -> datetime:
        """Returns `end_ms` as a datetime in UTC; raises OverflowError after the year 9999."""
        return from_ms(self.end_ms)


class TimeSeries(Freshness):
    """The jobs of a project by stretches of time, without gap or overlap, all of one instant."""

    interval: str
    time_zone: str
    points: list[TimeSeriesPoint]
