"""What Schemathesis cannot know of the API; tests/api/schemathesis.toml names this module."""

from typing import Any

import schemathesis
from schemathesis import Case, HookContext

from service.api.series_parameters import MOST_POINTS
from service.events.event import MAX_MS

_MINUTES_MS = MOST_POINTS * 60_000


@schemathesis.hook
def before_load_schema(context: HookContext, raw_schema: dict[str, Any]) -> None:
    """Lets `X-Language` be any text, and names some time zones.

    The service refuses no language, and answers in English where it has no such one. The description names those that
    there are: OpenAPI has no way to say "one of these, or any other". It names no zones, of which there are hundreds.
    """
    for methods in raw_schema["paths"].values():
        for operation in methods.values():
            for parameter in operation["parameters"]:
                if parameter["name"] == "X-Language":
                    del parameter["schema"]["enum"]
                if parameter["name"] == "time_zone":
                    parameter["schema"]["enum"] = ["UTC", "Asia/Shanghai", "Australia/Lord_Howe"]


@schemathesis.hook
def filter_case(context: HookContext, case: Case[Any]) -> bool:
    """Leaves out ranges that end before they start, or are too long for a time series: OpenAPI cannot say so."""
    start, end = (str((case.query or {}).get(name)) for name in ("start", "end"))
    if not (start.isdecimal() and end.isdecimal()):
        return True
    if not case.path.endswith("/timeseries"):
        return int(start) <= int(end)
    return 0 < int(end) - int(start) <= _MINUTES_MS


@schemathesis.hook
def map_query(context: HookContext, query: dict[str, Any] | None) -> dict[str, Any] | None:
    """Brings the end of a time series near its start: by chance it would be too far away."""
    start, end = (query or {}).get("start"), (query or {}).get("end")
    if query is None or not (isinstance(start, int) and isinstance(end, int) and start >= 0 and end >= 0):
        return query
    return {**query, "end": min(start + 1 + end % _MINUTES_MS, MAX_MS)}
