"""Remembers what stays in the way until somebody mends it, for `/readyz` and for a log of few lines.

Of one trouble the log tells at once that it begins, then once a minute that it goes on, with how often it was noted
meanwhile, and in the end that it is over.
"""

import logging
import time
from collections.abc import Callable

_TROUBLE_SECONDS = 15.0  # twice the longest pause before what failed is tried again, and some
_TELL_AGAIN_SECONDS = 60.0
_MOST_TOLD = 20  # texts within _TELL_AGAIN_SECONDS: a text may hold what a caller chooses

Fields = dict[str, object]


class Trouble:
    """Remembers a trouble for `lasting_seconds`, so that one that comes again and again is there in between too."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, lasting_seconds: float = _TROUBLE_SECONDS) -> None:
        self._clock = clock
        self._lasting_seconds = lasting_seconds
        self._text = ""
        self._noted = self._began = float("-inf")
        self._told: dict[tuple[str, float], float] = {}  # by text, and when its trouble began
        self._untold = 0
        self.is_there = False  # since it was noted, until it is ended

    def note(self, text: str) -> Fields | None:
        """Notes the trouble; returns fields for the line that tells of it, or None if it was told of late.

        `untold` is how often any of it was noted since the last such line, and not told.
        """
        now = self._clock()
        if not self.is_there:
            self.is_there, self._began = True, now
        self._text, self._noted = text, now
        self._told = {each: at for each, at in self._told.items() if now - at < _TELL_AGAIN_SECONDS}
        if (text, self._began) in self._told or len(self._told) >= _MOST_TOLD:
            self._untold += 1
            return None
        self._told[text, self._began] = now
        return self._take_untold()

    def end(self, patience_seconds: float = 0.0) -> Fields | None:
        """Ends the trouble; returns fields for the line that tells so, or None if there is none to end.

        There is none either if it was noted within `patience_seconds`. `lasted_seconds` is how long there was any.
        """
        now = self._clock()
        if not self.is_there or now - self._noted < patience_seconds:
            return None
        self.is_there, self._text = False, ""
        was_told = any(began == self._began for _, began in self._told) or now - self._began >= _TELL_AGAIN_SECONDS
        lasted = {"lasted_seconds": round(now - self._began, 3)}
        return {**lasted, **self._take_untold()} if was_told else None

    def text(self) -> str | None:
        """Returns the trouble, or None if there was none of late."""
        return self._text if self.is_there and self._clock() - self._noted < self._lasting_seconds else None

    def _take_untold(self) -> Fields:
        untold, self._untold = self._untold, 0
        return {"untold": untold} if untold else {}


class Outage:
    """Tells of a service that cannot be asked, by one line for its beginning, and one for its end."""

    def __init__(
        self, log: logging.Logger, begins: str, ends: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._begins = begins
        self._ends = ends
        self._trouble = Trouble(clock)
        self.reason: str | None = None

    def note(self, reason: str | None) -> None:
        """Takes how an attempt to ask has ended: None for well. Who asks calls it after each attempt."""
        self.reason = reason
        if reason is not None:
            fields = self._trouble.note(reason)
            if fields is not None:
                self._log.error(self._begins, extra={"reason": reason, **fields})
        elif self._trouble.is_there:
            fields = self._trouble.end()
            if fields is not None:
                self._log.info(self._ends, extra=fields)
