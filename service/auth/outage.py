"""Remembers why a service that tokens are checked against cannot be asked, and logs when that begins and ends."""

import logging


class Outage:
    """The reason why a service cannot be asked now, or None. It is logged once, not at every request."""

    def __init__(self, log: logging.Logger, begins: str, ends: str) -> None:
        self._log = log
        self._begins = begins
        self._ends = ends
        self.reason: str | None = None

    def note(self, reason: str | None) -> None:
        """Takes how an attempt to ask has ended: None for well. Who asks calls it after each attempt."""
        if reason == self.reason:
            return
        self.reason = reason
        if reason is None:
            self._log.info(self._ends)
        else:
            self._log.error(self._begins, extra={"reason": reason})
