"""Makes the JSON body of a time series from its columns. Pure, no I/O."""

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


_COLUMNS = (
    JobStatus.LAUNCHING,
    JobStatus.RUNNING,
    JobStatus.FAILED,
    JobStatus.FINISHED,
    JobStatus.CANCELING,
    JobStatus.CANCELLED,
)
_encode = msgspec.json.Encoder().encode


def time_series_body(timeline: Timeline, time_zone: str, series: Series, now_ms: int) -> bytes:
    """Returns the body, a `service.statistics.TimeSeries`, for the statistics of a timeline's intervals."""
    borders_ms = timeline.borders_ms
    points = map(
        _Point,
        borders_ms[:-1],
        borders_ms[1:],
        timeline.are_partial(now_ms),
        *(series.jobs[status] for status in _COLUMNS),
        series.size_bytes,
    )
    return _encode(_TimeSeries(timeline.interval, time_zone, list(points)))
