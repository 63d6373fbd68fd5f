"""ClickHouse in this process (chDB): one MergeTree table ordered by project and start time, merged to one part."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from chdb.session import Session

from bench.databases.asking import Database, limits, to_counts, writing_csv
from bench.jobs import PROJECT, Counts, Jobs
from bench.points import ZONE, Points, PointSums, find, to_sums
from bench.recount import Bounds

_TABLE = """
CREATE TABLE bench.jobs
    (project_id LowCardinality(String), start_time Int64, user_number UInt32, status UInt8, input_size Int64)
ENGINE = MergeTree ORDER BY (project_id, start_time) SETTINGS index_granularity = 1024
"""
_QUERY = """
SELECT user_number, status, count(), sum(input_size) FROM bench.jobs
WHERE project_id = '{project}' AND start_time >= {start} AND start_time < {end} GROUP BY user_number, status
"""
_SERIES = """
SELECT {point} AS point, toInt64(status), toInt64(count()), sum(input_size) FROM bench.jobs
WHERE project_id = '{project}' AND start_time >= {start} AND start_time < {end} GROUP BY point, status
"""
_POINT = "intDiv(start_time - {start}, {width})"
_DAY = f"toInt64(toUnixTimestamp(date_trunc('day', toDateTime(intDiv(start_time, 1000), '{ZONE}'))))"


@contextmanager
def serving(folder: Path, jobs: Jobs) -> Iterator[Database]:
    """A database that holds these jobs."""
    with tempfile.TemporaryDirectory(dir=folder) as data, Session(data) as session:
        session.query("CREATE DATABASE bench ENGINE = Atomic")
        session.query(_TABLE)
        with writing_csv(folder, jobs) as path:
            session.query(f"INSERT INTO bench.jobs FROM INFILE '{path}' FORMAT CSV")
        session.query("OPTIMIZE TABLE bench.jobs FINAL")

        def ask(bounds: Bounds) -> Callable[[], Counts]:
            start_ms, end_ms = limits(bounds)
            text = session.query(_QUERY.format(project=PROJECT, start=start_ms, end=end_ms), "TSV").data()
            return lambda: to_counts(_rows(text))

        def ask_series(points: Points) -> Callable[[], PointSums]:
            point = _DAY if points.are_days else _POINT.format(start=points.start_ms, width=points.width_ms)
            query = _SERIES.format(point=point, project=PROJECT, start=points.start_ms, end=points.end_ms)
            data = session.query(query, "RowBinary").bytes()
            return lambda: _sums(points, data)

        yield Database(ask, ask_series)


def _sums(points: Points, data: bytes) -> PointSums:
    at, status, number, size_bytes = np.frombuffer(data, "<i8").reshape(-1, 4).T
    return to_sums(points, find(points, at * 1000) if points.are_days else at, status, number, size_bytes)


def _rows(text: str) -> Iterator[tuple[int, int, int, int]]:
    for line in text.splitlines():
        user, status, number, size_bytes = map(int, line.split("\t"))
        yield user, status, number, size_bytes
