"""What connections are given: how long clients may take, the library's own limits, and what answers some requests."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp.http import RawRequestMessage

from service.http.whole import Whole

LINGERING_SECONDS = 1.0
"""How long the rest of what nobody wants is read, before the connection ends."""
MAX_TARGET_BYTES = 8_190
LIMITS: dict[str, Any] = {
    "keepalive_timeout": 75,
    "lingering_time": LINGERING_SECONDS,
    "max_line_size": MAX_TARGET_BYTES,
    "max_headers": 128,
    "max_field_size": 16_384,  # a header; a token too long for us is still read, to be refused as a token
    "auto_decompress": False,
    "access_log": None,
}
"""What the library's handler of a connection is made with."""


@dataclass(frozen=True, slots=True)
class ConnectionPolicy:
    """Says how long a client may take: for the head of a request, and before it takes an answer."""

    head_seconds: float = 10.0
    send_seconds: float = 30.0


class Shortcut(Protocol):
    """Answers some requests without the task, the router and the handlers that others need."""

    def __call__(self, message: RawRequestMessage, tell: Callable[[Whole], None], /) -> bool:
        """Tells whether it takes a request; then it calls `tell` once, later, with an answer."""
        ...
