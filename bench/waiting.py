"""Rows that count: what else a machine does makes latencies long, and shows in how long processes waited for a core.

A row that waited for too long is measured again. One that always did is void: it is shown, and no goal is judged by it.
"""

import time
from collections.abc import Callable, Sequence

from bench.run import VOID, Row, Run
from bench.servers import Usage, usage_of_all

WAITED = "waited_percent"


class Watch:
    """Watches for how long processes wait for a core: those that `read` tells of, or this one and all below it."""

    def __init__(self, read: Callable[[], Usage] = usage_of_all) -> None:
        self._read = read
        self._before = read()
        self._began = time.perf_counter()

    def percent(self) -> float:
        """Returns what all of them together have waited so far, in percent of the time that has passed."""
        seconds = time.perf_counter() - self._began
        return round((self._read() - self._before).waited_seconds / seconds * 100, 1)


def until_quiet(run: Run, most_percent: float, measure: Callable[[], Row]) -> Row:
    """Measures until the row's `waited_percent` is low enough, `run.tries` times at most; then the quietest is void."""
    [row] = all_until_quiet(run, most_percent, lambda: [measure()])
    return row


def all_until_quiet(run: Run, most_percent: float, measure: Callable[[], Sequence[Row]]) -> list[Row]:
    """The same for rows that are measured together, by the one that waited most."""
    tries: list[tuple[float, Sequence[Row]]] = []
    for _ in range(run.tries):
        rows = measure()
        percent = max(float(row[WAITED]) for row in rows)
        if percent <= most_percent:
            return list(rows)
        run.say(f"waited for a core {percent} % of the time, at most {most_percent:g} count")
        tries.append((percent, rows))
    _, quietest = min(tries, key=lambda each: each[0])
    return [row | {VOID: True} for row in quietest]
