"""What every peer keeps in Redis: the last state of each job, and counts by project, hour of start, user and status.

`jobs:PROJECT` holds the states (the script has a hash for each job instead), `hour:PROJECT:HOUR` the fields
`USER:STATUS` (jobs) and `USER:size` (bytes).
"""

import json
from collections.abc import Mapping
from typing import Any

HOUR_MS = 3_600_000

Counts = dict[tuple[str, str], int]
"""Jobs and bytes by (key, field)."""


def jobs_key(project_id: str) -> str:
    """The hash of a project's jobs: job id to state."""
    return f"jobs:{project_id}"


def contribution(event: Mapping[str, Any]) -> Counts:
    """What a job adds to the counts while this event, or the state made of it, is its last."""
    key, user_id = f"hour:{event['project_id']}:{event['start_time'] // HOUR_MS}", event["user_id"]
    return {(key, f"{user_id}:{event['status']}"): 1, (key, f"{user_id}:size"): event["input_size"]}


def difference(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> Counts:
    """What changes when a job goes from one state, or none, to the next; some of it may be zero."""
    counts = contribution(new)
    if old is not None:
        for place, amount in contribution(old).items():
            counts[place] = counts.get(place, 0) - amount
    return counts


def to_state(event: Mapping[str, Any]) -> str:
    """What is kept of an event."""
    return json.dumps({name: event[name] for name in ("project_id", "user_id", "status", "start_time", "input_size")})
