"""Shows a command's result on standard output, and its progress on standard error if that is a terminal."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Advance = Callable[[int], None]


class Terminal:
    """Prints text for people, or with `as_json` one JSON document for programs."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def result(self, document: Mapping[str, object], lines: Iterable[str]) -> None:
        """Prints the document, or the lines that say the same; a reader that closes the pipe is no error."""
        text = json.dumps(document) if self._as_json else "\n".join(lines)
        try:
            print(text, file=sys.stdout, flush=True)  # noqa: T201 - what the command is for
        except BrokenPipeError:  # the reader has seen enough, as `head` has
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

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
