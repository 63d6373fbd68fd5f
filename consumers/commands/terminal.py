"""Shows a command's result on standard output, and its progress on standard error if that is a terminal."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from io import TextIOWrapper

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Advance = Callable[[int], None]


class OutputError(Exception):
    """What a command has to say cannot be written to standard output."""


def write(text: str) -> bool:
    """Writes text and a line's end to standard output; returns whether it has a reader. Raises OutputError.

    A reader that closes the pipe, as `head` does, has seen enough: that is no error. What
    the output's encoding does not have, as names in another script, is written with escapes.
    """
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        print(text, file=sys.stdout, flush=True)  # noqa: T201 - what a command is for
    except BrokenPipeError:
        return False
    except OSError as error:
        raise OutputError(str(error)) from error
    return True


class Terminal:
    """Prints text for people, or with `as_json` JSON for programs."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def result(self, document: Mapping[str, object], lines: Iterable[str]) -> None:
        """Prints the document, or the lines that say the same. Raises OutputError."""
        write(json.dumps(document) if self._as_json else "\n".join(lines))

    def line(self, document: Mapping[str, object], text: str) -> bool:
        """Prints one of many findings as it is found, in one line; returns whether it has a reader. Raises OutputError.

        Without one a command that has no other work ends.
        """
        return write(json.dumps(document) if self._as_json else text)

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Advance]:
        """Shows a bar while the block runs, and yields a function to call with how many more of the total are done."""
        console = Console(stderr=True)
        columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.advance(task, done)


def instant(time_ms: int) -> str:
    """Returns an instant for people, in ISO 8601 (UTC, milliseconds), or in Unix ms if no calendar has it."""
    try:
        time = datetime.fromtimestamp(time_ms / 1000, UTC)
    except (ValueError, OverflowError):
        return f"{time_ms} ms"
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
