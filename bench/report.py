"""A run's tables on the terminal, and the same figures as JSON and as Markdown for docs/performance.md."""

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.run import VOID, Goal, Part, Row, is_void

_MANY_ROWS = 5

Lines = list[list[str]]
"""A table: the cells of its header, then those of each line."""


def show(console: Console, part: Part) -> None:
    """Prints what a part has measured, and how long that took."""
    _print(console, part.name, table_of(part.rows))
    console.print(f"{part.name}: {part.seconds:,.0f} s\n")


def show_goals(console: Console, parts: Sequence[Part]) -> None:
    """Prints which goals this run has met, and how long it took."""
    if goals := [goal for part in parts for goal in part.goals]:
        _print(console, "goals", goals_of(goals))
    console.print(f"all parts: {sum(part.seconds for part in parts):,.0f} s")


def _print(console: Console, title: str, lines: Lines) -> None:
    table = Table(title=title, title_justify="left")
    table.add_column(lines[0][0], no_wrap=True)
    for name in lines[0][1:]:
        table.add_column(name, justify="right")
    for line in lines[1:]:
        table.add_row(*line)
    console.print(table)


def table_of(rows: Sequence[Row]) -> Lines:
    """A line for each figure and a column for each row, or the other way if rows are many."""
    figures = [name for name in rows[0] if name not in {"measured", VOID}]
    names = [f"{row['measured']}{' (void)' if is_void(row) else ''}" for row in rows]
    cells = [[_cell(row[name]) for name in figures] for row in rows]
    if len(rows) > len(figures) or len(rows) > _MANY_ROWS:
        return [["measured", *figures], *([name, *line] for name, line in zip(names, cells, strict=True))]
    return [["figure", *names], *([name, *line] for name, *line in zip(figures, *cells, strict=True))]


def _cell(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:,}"


def goals_of(goals: Sequence[Goal]) -> Lines:
    """A line for each goal."""
    lines = [["goal", "measured", "wanted", "met"]]
    for goal in goals:
        wanted = f"{'at least' if goal.at_least else 'at most'} {goal.limit:,g}"
        lines.append([goal.name, f"{goal.value:,.3g}", wanted, goal.verdict])
    return lines


def write(folder: Path, scale: float, parts: Sequence[Part]) -> None:
    """Writes everything that was measured to `latest.json` and `latest.md`."""
    machine = {"python": platform.python_version(), "system": platform.platform()}
    stated = [{**asdict(goal), "verdict": goal.verdict} for part in parts for goal in part.goals]
    run = {
        "scale": scale,
        "machine": machine,
        "seconds": {part.name: round(part.seconds) for part in parts},
        "parts": {part.name: part.rows for part in parts},
        "goals": stated,
    }
    (folder / "latest.json").write_text(json.dumps(run, indent=2) + "\n")
    tables = [("Goals", goals_of([goal for part in parts for goal in part.goals]))]
    tables += [(f"{part.name}, {part.seconds:,.0f} s", table_of(part.rows)) for part in parts]
    (folder / "latest.md").write_text("\n".join(f"## {title}\n\n{markdown(lines)}" for title, lines in tables))


def markdown(lines: Lines) -> str:
    """A table as Markdown; numbers stand at the right."""
    head, *rest = lines
    written = [f"| {' | '.join(line)} |\n" for line in (head, *rest)]
    return "".join([written[0], f"|---|{'---:|' * len(head[1:])}\n", *written[1:]])
