"""Takes over what a caller says of a request, for the log: its id, and the trace that it belongs to."""

import random
import re

from multidict import istr

from service.http.asking import Asking
from service.http.responses import REQUEST_ID, REQUEST_ID_PATTERN
from service.runtime.log import add_fields
from service.runtime.tracing import TRACEPARENT

_ID = istr(REQUEST_ID)
_REQUEST_ID = re.compile(REQUEST_ID_PATTERN.strip("^$"))
# https://www.w3.org/TR/trace-context/: versions after 00 may add fields, ff is none, and ids of zeros are none.
_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")


def take_over(request: Asking) -> str:
    """Returns the id of a request: the one that it came with, or a new one if that is none.

    Every line that is logged for the request from now on has the id as `request_id`, and `trace_id` and `parent_id`
    of a valid `traceparent`. The middleware calls it, and Connection for what never gets there.
    """
    given = request.headers.get(_ID)
    # an id need not be secret, and `random` makes no system call
    request_id = given if given and _REQUEST_ID.fullmatch(given) else random.randbytes(16).hex()  # noqa: S311
    fields = {"request_id": request_id}
    if TRACEPARENT in request.headers:
        fields |= trace_of(request.headers.getall(TRACEPARENT))
    add_fields(fields)
    return request_id


def trace_of(traceparents: list[str]) -> dict[str, str]:
    """Returns `trace_id` and `parent_id` of the one `traceparent` of a request; nothing if it is not valid."""
    match = _TRACEPARENT.fullmatch(traceparents[0]) if len(traceparents) == 1 else None
    if match is None or (match[1] == "00" and match[4]):
        return {}
    return {"trace_id": match[2], "parent_id": match[3]}
