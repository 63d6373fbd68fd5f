"""A run's tables on the terminal, and the same figures as JSON."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.run import Goal, Row

_MANY_ROWS = 5


def show(console: Console, title: str, rows: Sequence[Row]) -> None:
    """Prints a table with a line for each figure and a column for each row, or the other way if rows are many."""
    figures = [name for name in rows[0] if name != "measured"]
    names = [str(row["measured"]) for row in rows]
    cells = [[f"{row[name]:,}" for row in rows] for name in figures]
    if len(rows) > len(figures) or len(rows) > _MANY_ROWS:
        _print(console, title, ["measured", *figures], [list(line) for line in zip(names, *cells, strict=True)])
    else:
        _print(console, title, ["figure", *names], [[name, *line] for name, line in zip(figures, cells, strict=True)])


def _print(console: Console, title: str, header: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    table = Table(title=title, title_justify="left")
    table.add_column(header[0], no_wrap=True)
    for name in header[1:]:
        table.add_column(name, justify="right")
    for line in lines:
        table.add_row(*line)
    console.print(table)


def show_goals(console: Console, goals: Sequence[Goal]) -> None:
    """Prints which goals this run has met."""
    table = Table("goal", "measured", "wanted", "met", title="goals", title_justify="left")
    for goal in goals:
        wanted = f"{'at least' if goal.at_least else 'at most'} {goal.limit:,g}"
        table.add_row(goal.name, f"{goal.value:,.3g}", wanted, "yes" if goal.is_met else "NO")
    console.print(table)


def write(path: Path, scale: float, parts: Mapping[str, Sequence[Row]], goals: Sequence[Goal]) -> None:
    """Writes everything that was measured."""
    machine = {"python": platform.python_version(), "system": platform.platform()}
    stated = [{**asdict(goal), "is_met": goal.is_met} for goal in goals]
    path.write_text(json.dumps({"scale": scale, "machine": machine, "parts": parts, "goals": stated}, indent=2) + "\n")
