"""Describes the resource of a project's time series."""

from typing import Any

from service.api.openapi.headers import TOKEN_SCHEME
from service.api.openapi.parameters import described
from service.api.openapi.responses import represented, responses
from service.api.openapi.schemas import body, csv_body
from service.api.openapi.statistics import TAG
from service.api.resources.statistics import AS_OF, GAPS, HORIZON
from service.api.series_parameters import MOST_POINTS, MOST_POINTS_UNASKED
from service.http.errors import CATALOGUE, TOO_MANY

_DESCRIPTION = f"""\
Counts the jobs of a project that start in `[start, end)`, in stretches of the clock or the calendar of a time zone.

- The stretches cover `[start, end)` without gap or overlap. The first begins at `start`, the last ends at `end`.
- Borders between them are those of the zone. Where its clock is put forward or back a day has 23 or 25 hours, and no
  border is there twice. A day that a zone skipped has no stretch.
- Stretches without jobs are there, with zeros. All numbers are of one instant, and their sums are the statistics of
  the range.
- `is_partial` says that a stretch is shorter than in the calendar, as `start` or `end` cuts it, or that it has not
  ended yet.
- A range of more than {MOST_POINTS:,} stretches is an error, which names the finest interval that fits.
- Without `interval` it is the finest with at most {MOST_POINTS_UNASKED} stretches, or months where all make more.
- With `text/csv` in `Accept` the answer is CSV: a row for each stretch.
- A tenant administrator gets the jobs of all users, or of those with one name. Every other caller gets its own.
"""
_POINT = {
    "start": 1532534400000,
    "end": 1532620800000,
    "is_partial": False,
    "launching_num": 0,
    "running_num": 0,
    "failed_num": 2,
    "finished_num": 9,
    "canceling_num": 0,
    "cancelled_num": 1,
    "input_size": 729092919,
}
_EXAMPLES = {"days": {"interval": "1d", "time_zone": "Asia/Shanghai", "points": [_POINT]}}
_CSV_EXAMPLE = f"""\
{",".join(_POINT)}\r
1532534400000,1532620800000,false,0,0,2,9,0,1,729092919\r
"""


def time_series_operation(is_limited: bool) -> dict[str, Any]:
    """Returns the operation that answers time series; 429 is among its answers if the service limits its callers."""
    content = {**body("TimeSeries", **_EXAMPLES), **csv_body(_CSV_EXAMPLE)}
    well = represented("The time series.", content, (AS_OF,), (HORIZON, GAPS, "Content-Disposition"))
    return {
        "operationId": "getGeneStatisticsTimeSeries",
        "tags": [TAG],
        "summary": "Statistics of a project's gene jobs by time",
        "description": _DESCRIPTION,
        "security": [{TOKEN_SCHEME: []}],
        "parameters": described(
            "ProjectId", "RangeStart", "RangeEnd", "Interval", "TimeZone", "UserName", "IfNoneMatch"
        ),
        "responses": responses(well, *(kind for kind in CATALOGUE if is_limited or kind is not TOO_MANY)),
    }
