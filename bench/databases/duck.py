"""DuckDB in this process: one table in memory, sorted by start time, so that its zone maps skip what lies outside."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from bench.databases.asking import Database, limits, to_counts, writing_csv
from bench.jobs import PROJECT, Counts, Jobs
from bench.points import QUARTER_MS, ZONE, Points, PointSums, find, to_sums
from bench.recount import Bounds

_TABLE = "CREATE TABLE jobs (project_id VARCHAR, start_time BIGINT, user_number INT, status TINYINT, input_size BIGINT)"
_QUERY = """
SELECT user_number, status, count(*), sum(input_size) FROM jobs
WHERE project_id = ? AND start_time >= ? AND start_time < ? GROUP BY user_number, status
"""
_SERIES = """
SELECT ((start_time - ?) // ?)::INT AS point, status, count(*) AS jobs, sum(input_size)::BIGINT AS bytes FROM jobs
WHERE project_id = ? AND start_time >= ? AND start_time < ? GROUP BY ALL
"""
# A zone's days begin at quarters of an hour. To truncate each job's start instead of each quarter takes three times
# as long.
_DAYS = f"""
SELECT epoch_ms(date_trunc('day', make_timestamptz(quarter * {QUARTER_MS * 1000}))) AS day, status,
    sum(number)::BIGINT AS jobs, sum(bytes)::BIGINT AS bytes FROM (
        SELECT start_time // {QUARTER_MS} AS quarter, status, count(*) AS number, sum(input_size) AS bytes FROM jobs
        WHERE project_id = ? AND start_time >= ? AND start_time < ? GROUP BY ALL
    ) GROUP BY ALL
"""  # noqa: S608 - of numbers


@contextmanager
def serving(folder: Path, jobs: Jobs) -> Iterator[Database]:
    """A database that holds these jobs."""
    with duckdb.connect(":memory:") as connection:
        connection.execute(_TABLE)
        with writing_csv(folder, jobs) as path:
            connection.execute("COPY jobs FROM ? (FORMAT csv)", [str(path)])

        def ask(bounds: Bounds) -> Callable[[], Counts]:
            rows = connection.execute(_QUERY, [PROJECT, *limits(bounds)]).fetchall()
            return lambda: to_counts(rows)

        def ask_series(points: Points) -> Callable[[], PointSums]:
            interval = [PROJECT, points.start_ms, points.end_ms]
            if points.are_days:
                days = connection.execute(_DAYS, interval).fetchnumpy()
                return lambda: to_sums(points, find(points, days["day"]), days["status"], days["jobs"], days["bytes"])
            found = connection.execute(_SERIES, [points.start_ms, points.width_ms, *interval]).fetchnumpy()
            return lambda: to_sums(points, found["point"], found["status"], found["jobs"], found["bytes"])

        connection.execute("SET TimeZone = ?", [ZONE])
        yield Database(ask, ask_series)
