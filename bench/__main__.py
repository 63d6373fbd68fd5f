"""`python -m bench [PART ...]`: measures all parts or those named; writes tables and charts to .local/bench as well."""

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from bench import (
    chart,
    first_figures,
    http,
    idle,
    ingest,
    live,
    memory,
    queries,
    recovery,
    report,
    resident,
    scaling,
    series,
    series_http,
    sharing,
    visible,
)
from bench.databases import measure as databases
from bench.loading import SNAPSHOTS
from bench.peers import measure as peers
from bench.recount import WrongAnswerError
from bench.run import Part, Row, Run
from deploy.local.process import ChildFailedError
from deploy.local.servers import MissingServerError

_PARTS: dict[str, Callable[[Run], list[Row]]] = {
    "ingest": ingest.measure,
    "ingest-peers": peers.measure,
    "scaling": scaling.measure,
    "memory": memory.measure,
    "resident": resident.measure,
    "idle": idle.measure,
    "visible": visible.measure,
    "queries": queries.measure,
    "http": http.measure,
    "console": first_figures.measure,
    "http-processes": sharing.measure,
    "databases": databases.measure,
    "series": series.measure,
    "series-http": series_http.measure,
    "stream": live.measure,
    "memory-10-million": memory.measure_ten_million,
    "recovery": recovery.measure,
}
_FILE_WIDTH = 200  # of tables that are not printed to a terminal
_BY_NAME_ONLY = ("ingest-peers", "memory-10-million", "recovery")


def main() -> int:
    """Runs the benchmark; returns the exit status: 0, or 1 when something failed or counted wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help=f"any of {', '.join(_PARTS)}; all by default, but {', '.join(_BY_NAME_ONLY)}",
    )
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full size; 0.02 is a smoke test")
    parser.add_argument("--repeats", type=int, default=1, help="passes over each stream; medians are reported")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - _PARTS.keys()
    if unknown or not 0 < arguments.scale <= 1 or arguments.repeats < 1:
        parser.error(f"no such part: {', '.join(sorted(unknown))}" if unknown else "--scale or --repeats out of range")
    folder = Path.cwd() / ".local" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / SNAPSHOTS, ignore_errors=True)  # of other code, maybe
    console = Console(width=None if sys.stdout.isatty() else _FILE_WIDTH)
    run = Run(folder, arguments.scale, arguments.repeats, Console(stderr=True).print)
    parts = []
    try:
        for name in arguments.parts or [name for name in _PARTS if name not in _BY_NAME_ONLY]:
            parts.append(_measure(run, name))
            report.show(console, parts[-1])
    except (ChildFailedError, MissingServerError, WrongAnswerError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    report.show_goals(console, parts)
    report.write(folder, run.scale, parts)
    chart.write(folder, {part.name: part.rows for part in parts})
    return 0


def _measure(run: Run, name: str) -> Part:
    began, goals_before = time.perf_counter(), len(run.goals)
    rows = _PARTS[name](run)
    return Part(name, rows, run.goals[goals_before:], time.perf_counter() - began)


if __name__ == "__main__":
    sys.exit(main())
