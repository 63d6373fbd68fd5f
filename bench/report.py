"""A run's tables on the terminal, and the same figures as JSON."""

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.run import Row


def show(console: Console, title: str, rows: Sequence[Row]) -> None:
    """Prints a table with a line for each figure and a column for each row: figures are many, rows are few."""
    table = Table(title=title, title_justify="left")
    table.add_column("figure", no_wrap=True)
    for row in rows:
        table.add_column(str(row["measured"]), justify="right")
    for name in rows[0]:
        if name != "measured":
            table.add_row(name, *[f"{row[name]:,}" for row in rows])
    console.print(table)


def write(path: Path, scale: float, parts: Mapping[str, Sequence[Row]]) -> None:
    """Writes everything that was measured."""
    machine = {"python": platform.python_version(), "system": platform.platform()}
    path.write_text(json.dumps({"scale": scale, "machine": machine, "parts": parts}, indent=2) + "\n")
