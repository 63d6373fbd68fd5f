"""Remembers what stays in the way until somebody mends it, for `/readyz` and for a log without repetitions."""

from collections.abc import Callable

_TROUBLE_SECONDS = 15.0  # twice the longest pause before what failed is tried again, and some
_TELL_AGAIN_SECONDS = 60.0


class Trouble:
    """Remembers a trouble for a while, so that one that comes again and again is there between its returns too."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._text = ""
        self._noted = float("-inf")
        self._told: dict[str, float] = {}

    def note(self, text: str) -> bool:
        """Notes the trouble; returns whether it is to be logged: it is another, or was last logged long ago."""
        now = self._clock()
        self._text, self._noted = text, now
        self._told = {each: at for each, at in self._told.items() if now - at < _TELL_AGAIN_SECONDS}
        return self._told.setdefault(text, now) == now

    def end(self) -> bool:
        """Forgets the trouble; returns whether there has been any since it was last forgotten."""
        was_there = bool(self._text)
        self._text, self._noted, self._told = "", float("-inf"), {}
        return was_there

    def text(self) -> str | None:
        """Returns the trouble, or None if there was none of late."""
        return self._text if self._clock() - self._noted < _TROUBLE_SECONDS else None
