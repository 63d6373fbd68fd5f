"""Charts (SVG) of what was measured side by side: how fast each way takes the events, and how long questions take."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import ceil, floor, log10
from pathlib import Path

import pygal
from pygal.style import Style

from bench.run import Row

_STYLE = Style(background="white", plot_background="white", font_family="sans-serif", title_font_size=18)


def _ingest(rows: Sequence[Row]) -> pygal.HorizontalBar:
    """Events a second: a bar for each way and stream."""
    chart = pygal.HorizontalBar(title="Events a second, one process (logarithmic)", logarithmic=True, style=_STYLE)
    by_name = {tuple(str(row["measured"]).split(": ", 1)): row["events_per_second"] for row in rows}
    streams = list(dict.fromkeys(stream for stream, _ in by_name))
    ways = list(dict.fromkeys(way for _, way in by_name))
    chart.x_labels = ways
    _set_scale(chart, by_name.values())
    for stream in streams:
        chart.add(stream, [by_name.get((stream, way)) for way in ways])
    return chart


def _series(rows: Sequence[Row]) -> pygal.Bar:
    """Milliseconds of a series over the most jobs: a group of bars for each kind, a bar for each database."""
    by_name = {tuple(str(row["measured"]).split(": ")): row["p50_ms"] for row in rows}
    chart = pygal.Bar(title="Median of a series, ms (logarithmic)", logarithmic=True, style=_STYLE, x_label_rotation=30)
    kinds = list(dict.fromkeys(kind for kind, _ in by_name))
    chart.x_labels = kinds
    _set_scale(chart, by_name.values())
    for database in dict.fromkeys(database for _, database in by_name):
        chart.add(database, [by_name[kind, database] for kind in kinds])
    return chart


def _set_scale(chart: pygal.graph.graph.Graph, values: Iterable[str | float]) -> None:
    """Marks the powers of ten around these values, from the lowest of which the bars begin."""
    exponents = [log10(float(value)) for value in values]
    chart.y_labels = [10.0**exponent for exponent in range(floor(min(exponents)), ceil(max(exponents)) + 1)]
    chart.zero = chart.y_labels[0]


def _queries(rows: Sequence[Row]) -> pygal.Bar:
    """Milliseconds of a question: a group of bars for each range, a bar for each database and size."""
    chart = pygal.Bar(
        title="Median of a question, ms (logarithmic)",
        logarithmic=True,
        style=_STYLE,
        truncate_legend=-1,
        legend_at_bottom=True,
        legend_at_bottom_columns=2,
    )
    kinds = [name for name in rows[0] if name.endswith("_p50_ms")]
    chart.x_labels = [name.removesuffix("_p50_ms").replace("_", " ") for name in kinds]
    _set_scale(chart, [row[name] for row in rows for name in kinds])
    for row in rows:
        chart.add(str(row["measured"]), [row[name] for name in kinds])
    return chart


_CHARTS: dict[str, Callable[[Sequence[Row]], pygal.graph.graph.Graph]] = {
    "ingest-peers": _ingest,
    "databases": _queries,
    "series": _series,
}


def write(folder: Path, parts: Mapping[str, Sequence[Row]]) -> list[Path]:
    """Writes a chart for each part that has one; returns where they are."""
    paths = []
    for name, draw in _CHARTS.items():
        if name in parts:
            path = folder / f"{name}.svg"
            chart = draw(parts[name])
            chart.js = ()  # a picture: no script from anywhere
            path.write_bytes(chart.render())
            paths.append(path)
    return paths
