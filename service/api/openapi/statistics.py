"""Describes the resource of a project's statistics."""

from typing import Any

from service.api.openapi.headers import TOKEN_SCHEME
from service.api.openapi.parameters import described
from service.api.openapi.responses import represented, responses
from service.api.openapi.schemas import body, csv_body
from service.api.resources.statistics import AS_OF, GAPS, HORIZON
from service.http.errors import CATALOGUE, TOO_MANY

TAG = "statistics"

_DESCRIPTION = """\
Counts the jobs of a project that start in `[start, end)`: how many are in each state, and the bytes of their input.

- A tenant administrator gets the totals of all users, and a row for each user in `users`.
- Every other caller gets the totals of its own jobs. The key `users` is absent then, and `total_user_num` is 1.
- `users` is sorted by name. Only users with a job in the interval have a row.
- Each job counts once, in the state that it is in now.
- With `text/csv` in `Accept` the answer is CSV: a row for each user, or one for a caller who gets its own jobs. A name
  that a spreadsheet might take for a formula, or that begins with an apostrophe, has an apostrophe before it.
- A project without jobs, and an empty interval (`start` equals `end`), have zeros.
"""
_TOTALS = {
    "total_user_num": 1,
    "total_launching_num": 0,
    "total_running_num": 0,
    "total_failed_num": 20,
    "total_finished_num": 10,
    "total_canceling_num": 0,
    "total_cancelled_num": 1,
    "total_input_size": 729092919,
}
_USER = {
    "user_name": "test",
    "launching_num": 0,
    "running_num": 0,
    "failed_num": 20,
    "finished_num": 10,
    "canceling_num": 0,
    "cancelled_num": 1,
    "input_size": 729092919,
}
_EXAMPLES = {
    "administrator": {"users": [_USER], **_TOTALS},
    "sub_user": _TOTALS,
    "no_jobs": {"users": [], **dict.fromkeys(_TOTALS, 0)},
}
_CSV_EXAMPLE = f"""\
{",".join(_USER)}\r
"test",0,0,20,10,0,1,729092919\r
"""


def statistics_operation(is_limited: bool) -> dict[str, Any]:
    """Returns the operation that answers statistics; 429 is among its answers if the service limits its callers."""
    content = {**body("ProjectStatistics", **_EXAMPLES), **csv_body(_CSV_EXAMPLE)}
    well = represented("The statistics.", content, (AS_OF,), (HORIZON, GAPS, "Content-Disposition"))
    return {
        "operationId": "getGeneStatistics",
        "tags": [TAG],
        "summary": "Statistics of a project's gene jobs",
        "description": _DESCRIPTION,
        "security": [{TOKEN_SCHEME: []}],
        "parameters": described("ProjectId", "Start", "End", "IfNoneMatch"),
        "responses": responses(well, *(kind for kind in CATALOGUE if is_limited or kind is not TOO_MANY)),
    }
