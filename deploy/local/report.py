"""Prints what the local stack does, for the person who started it; in plain lines if there is no terminal."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from deploy.local.history import Loading

PLAIN_LINE_SECONDS = 2.0


class Report:
    """Prints steps and results on a console as they come."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()

    def step(self, text: str) -> None:
        """Prints one line about what is being done, with the seconds since the start."""
        self._console.print(f"{time.monotonic() - self._began:5.1f} s  {text}", highlight=False, soft_wrap=True)

    def line(self, text: str = "") -> None:
        """Prints one line as it is, without wrapping and colours, so that it can be copied."""
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)

    def loading(self) -> "LoadingReport":
        """Returns a context manager that shows the history's load while its block runs."""
        return LoadingReport(self, self._console)


class LoadingReport:
    """Shows a progress bar on a terminal, else prints a line every PLAIN_LINE_SECONDS."""

    def __init__(self, report: Report, console: Console) -> None:
        self._report = report
        self._began = self._printed = time.monotonic()
        self._text = ""
        self._events = 0
        self._per_second = 0.0
        columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self._bar = Progress(*columns, console=console, transient=True) if console.is_terminal else None
        self._task: TaskID | None = None

    def __enter__(self) -> "LoadingReport":
        if self._bar is not None:
            self._task = self._bar.add_task("history")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        if error is None:
            self._report.step(self._text)

    def show(self, loading: Loading) -> None:
        """Shows the present progress of the load."""
        now = time.monotonic()
        if loading.events > self._events:  # the rate stays as it is once all events are published
            self._events = loading.events
            self._per_second = loading.events / (now - self._began)
        self._text = (
            f"history: {loading.events:,} of {loading.of:,} events published ({self._per_second:,.0f}/s), "
            f"{loading.counted:,} jobs counted, {max(loading.jobs - loading.counted, 0):,} to go"
        )
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=self._text, completed=loading.counted, total=loading.jobs or None)
        elif now - self._printed >= PLAIN_LINE_SECONDS:
            self._printed = now
            self._report.step(self._text)
