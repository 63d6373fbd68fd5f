"""Tells of requests that fail: of an outage in few lines, whatever the number of requests that meet it."""

import logging
from collections.abc import Callable

from service.http.errors import INTERNAL, ApiError
from service.runtime.trouble import Trouble

_log = logging.getLogger(__name__)
_PATIENCE_SECONDS = 5.0  # after the last failure: in a cluster some questions are answered in the midst of an outage


class Failures:
    """Logs failed requests. What was told of within the last minute is logged at DEBUG alone."""

    def __init__(self, monotonic_seconds: Callable[[], float]) -> None:
        self._outage = Trouble(monotonic_seconds)
        self._faults = Trouble(monotonic_seconds)
        self._route = ""

    @property
    def are_there(self) -> bool:
        """Returns whether requests have failed by an outage whose end has not been told."""
        return self._outage.is_there

    def failed(self, error: Exception, api_error: ApiError, route: str) -> None:
        """Logs why a request has failed. The middleware calls it.

        An error that a handler has chosen to answer is no line of its own: the handler has told what it is about.
        """
        is_fault = api_error.kind is INTERNAL
        told = None
        if is_fault:
            told = self._faults.note(f"{type(error).__name__} {route}")
        elif api_error.kind.status >= 500 and not isinstance(error, ApiError):
            told, self._route = self._outage.note(str(error)), route
        _log.log(
            logging.DEBUG if told is None else logging.ERROR,
            "request failed: %s",
            error,
            exc_info=error if is_fault else None,  # an outage is no bug: one line with its cause is enough
            extra={"route": route, "status": api_error.kind.status, **(told or {})},
        )

    def answered(self, route: str) -> None:
        """Takes note that a request of that route did not fail; logs that an outage is over."""
        fields = self._outage.end(_PATIENCE_SECONDS) if route == self._route else None
        if fields is not None:
            _log.info("requests are answered again", extra={"route": route, **fields})
