"""Makes the points of a time series from its borders and its statistics, and their JSON. Pure, no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from service.calendar import Timeline
from service.events.event import JobStatus
from service.store.contract import Series


class _Point(msgspec.Struct, gc=False):
    start: int
    end: int
    is_partial: bool
    launching_num: int
    running_num: int
    failed_num: int
    finished_num: int
    canceling_num: int
    cancelled_num: int
    input_size: int


class _TimeSeries(msgspec.Struct, gc=False):
    interval: str
    time_zone: str
    points: list[_Point]


_STATUSES = (
    JobStatus.LAUNCHING,
    JobStatus.RUNNING,
    JobStatus.FAILED,
    JobStatus.FINISHED,
    JobStatus.CANCELING,
    JobStatus.CANCELLED,
)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Columns:
    """The points of a time series by column; `counts` has one for each status, in the order of the API's keys."""

    starts_ms: Sequence[int]
    ends_ms: Sequence[int]
    are_partial: Sequence[bool]
    counts: Sequence[Sequence[int]]
    size_bytes: Sequence[int]

    @classmethod
    def of(cls, timeline: Timeline, series: Series, now_ms: int) -> "Columns":
        """Returns the columns for the statistics of a timeline's intervals."""
        borders_ms = timeline.borders_ms
        counts = [series.jobs[status] for status in _STATUSES]
        return cls(borders_ms[:-1], borders_ms[1:], timeline.are_partial(now_ms), counts, series.size_bytes)


def time_series_body(interval: str, time_zone: str, columns: Columns) -> bytes:
    """Returns the body, a `service.statistics.TimeSeries` in JSON."""
    points = map(_Point, columns.starts_ms, columns.ends_ms, columns.are_partial, *columns.counts, columns.size_bytes)
    return _encode(_TimeSeries(interval, time_zone, list(points)))
