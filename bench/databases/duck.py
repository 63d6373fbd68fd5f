"""DuckDB in this process: one table in memory, sorted by start time, so that its zone maps skip what lies outside."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from bench.databases.asking import Ask, limits, to_counts, writing_csv
from bench.jobs import PROJECT, Counts, Jobs
from bench.recount import Bounds

_TABLE = "CREATE TABLE jobs (project_id VARCHAR, start_time BIGINT, user_number INT, status TINYINT, input_size BIGINT)"
_QUERY = """
SELECT user_number, status, count(*), sum(input_size) FROM jobs
WHERE project_id = ? AND start_time >= ? AND start_time < ? GROUP BY user_number, status
"""


@contextmanager
def serving(folder: Path, jobs: Jobs) -> Iterator[Ask]:
    """A database that holds these jobs."""
    with duckdb.connect(":memory:") as connection:
        connection.execute(_TABLE)
        with writing_csv(folder, jobs) as path:
            connection.execute("COPY jobs FROM ? (FORMAT csv)", [str(path)])

        def ask(bounds: Bounds) -> Callable[[], Counts]:
            rows = connection.execute(_QUERY, [PROJECT, *limits(bounds)]).fetchall()
            return lambda: to_counts(rows)

        yield ask
