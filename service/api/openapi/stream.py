"""Describes the live stream of a project's statistics."""

from typing import Any

from service.api.openapi.headers import TOKEN_SCHEME, headers
from service.api.openapi.parameters import described
from service.api.openapi.responses import responses
from service.api.openapi.statistics import TAG
from service.api.resources.statistics import AS_OF, GAPS, HORIZON
from service.http.errors import CATALOGUE

_DESCRIPTION = """\
Tells the statistics at once, and again whenever they change: server-sent events, as a browser's `EventSource` reads
them. A browser needs `fetch` for it, since `EventSource` sends no token.

| event | when | data |
|---|---|---|
| `statistics` | at once, and when the answer has changed, four times a second at most | `as_of`, `statistics` |
| `as_of` | when the as-of alone has changed, once a second at most; after ten seconds without an event | `as_of` |
| `end` | before the service ends the stream | `reason`: `expired`, `revoked`, `stopping` or `failed` |

- `statistics` is what `GET /v2.0/{project_id}/gene/statistics` answers. `as_of` is its `X-Statistics-As-Of`.
- A slow client gets the newest answer, and none of those that it has missed.
- While the store is away the stream stays open, and `as_of` stays as it was.
- `id` names the answer. With it in `Last-Event-ID` a client that has that answer gets `as_of` first; any process of the
  service knows the id.
- The range is fixed. For another one close the stream and open another.
- Clients that round `start` and `end`, to the minute for instance, share the cost of one question.
- After `expired` and `revoked` connect with a new token, after the others again with the same one.
- A caller may have 16 streams.
"""
_EXAMPLE = """\
event: statistics
id: 8b1a9953c4611296a827abf8c47804d7
data: {"as_of":1532605671002,"statistics":{"users":[],"total_user_num":0,"total_launching_num":0,\
"total_running_num":0,"total_failed_num":0,"total_finished_num":0,"total_canceling_num":0,"total_cancelled_num":0,\
"total_input_size":0}}

event: as_of
id: 8b1a9953c4611296a827abf8c47804d7
data: {"as_of":1532605672007}

event: end
data: {"reason":"stopping"}

"""


def stream_operation() -> dict[str, Any]:
    """Returns the operation that answers with a stream. 429 is always among its answers: streams are limited."""
    events = {"schema": {"type": "string", "description": "events"}, "examples": {"events": {"value": _EXAMPLE}}}
    well = {
        "200": {
            "description": "The events.",
            "headers": headers((AS_OF, "Vary", "X-Accel-Buffering"), (HORIZON, GAPS)),
            "content": {"text/event-stream": events},
        }
    }
    return {
        "operationId": "getGeneStatisticsStream",
        "tags": [TAG],
        "summary": "Live stream of a project's statistics",
        "description": _DESCRIPTION,
        "security": [{TOKEN_SCHEME: []}],
        "parameters": described("ProjectId", "Start", "End", "LastEventId"),
        "responses": responses(well, *CATALOGUE),
    }
