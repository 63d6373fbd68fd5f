"""Keeps the log from being filled with one line: of libraries while a server is away, or of ours under an attack."""

import logging
from dataclasses import dataclass

OURS = ("service", "consumers", "gene_statistics", "deploy")
_WINDOW_SECONDS = 60.0
_MOST_OF_OURS = 600  # our lines are told once a minute where they are made; this is for what nobody has foreseen
_MOST_WARNINGS, _MOST_INFOS, _MOST_OF_A_LIBRARY = 1, 10, 60
_MOST_REMEMBERED = 1_000


@dataclass(slots=True)
class _Window:
    began: float
    lines: int = 0
    untold: int = 0

    def is_over(self, now: float) -> bool:
        """Returns whether a minute has passed, or the clock was put back."""
        return not 0 <= now - self.began < _WINDOW_SECONDS

    def takes(self, most: int) -> bool:
        """Counts a line; returns whether it is to be told."""
        self.lines += 1
        self.untold += self.lines > most
        return self.lines <= most


class Repetitions(logging.Filter):
    """Lets a message of a logger through so many times a minute; the next line has how often it was not, as `untold`.

    A message is its text before values are put in. Of a library's warnings one a minute is let through: one of aiokafka
    comes for each broker and each attempt. Lines at DEBUG all are.
    """

    def __init__(self) -> None:
        super().__init__()
        self._windows: dict[tuple[str, int, str], _Window] = {}
        self._of_libraries: dict[str, _Window] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Returns whether a record becomes a line. The handler calls it."""
        if record.levelno < logging.INFO:
            return True
        if record.name.partition(".")[0] in OURS:
            return self._admit(record, _MOST_OF_OURS)
        most = _MOST_INFOS if record.levelno < logging.WARNING else _MOST_WARNINGS
        return self._admit(record, most) and self._admit_library(record)

    def _admit(self, record: logging.LogRecord, most: int) -> bool:
        key = record.name, record.levelno, str(record.msg)
        window = self._windows.get(key)
        if window is None or window.is_over(record.created):
            if window is not None and window.untold:
                vars(record)["untold"] = window.untold
            self._windows.pop(key, None)  # so that the newest is the last
            window = self._windows[key] = _Window(record.created)
            if len(self._windows) > _MOST_REMEMBERED:
                del self._windows[next(iter(self._windows))]
        return window.takes(most)

    def _admit_library(self, record: logging.LogRecord) -> bool:
        """Admits lines of a logger whose messages are different texts each time."""
        window = self._of_libraries.get(record.name)
        if window is None or window.is_over(record.created):
            window = self._of_libraries[record.name] = _Window(record.created)
        return window.takes(_MOST_OF_A_LIBRARY)
