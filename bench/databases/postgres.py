"""PostgreSQL: a table of the jobs' latest states, an index that holds all a query needs, a prepared statement.

Users and states are small integers, the project is text, as it comes. A cluster of its own, with shared buffers that
hold the whole index and without `fsync`, vacuumed before it is asked.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np

from bench.databases.asking import Database, limits, to_counts
from bench.jobs import PROJECT, Counts, Jobs
from bench.points import QUARTER_MS, ZONE, Points, PointSums, find, to_sums
from bench.recount import Bounds
from bench.servers import family_cpu_seconds, stopping
from deploy.local.process import ChildFailedError, start_child, wait_ready
from deploy.local.servers import MissingServerError, free_port

_USER = "postgres"
_TABLE = """
CREATE UNLOGGED TABLE jobs
    (project_id text, start_time bigint, user_number int, status smallint, input_size bigint, job bigint)
"""
_INDEX = "CREATE INDEX ON jobs (project_id, start_time) INCLUDE (user_number, status, input_size)"
_QUERY = """
SELECT user_number, status, count(*), sum(input_size)::bigint FROM jobs
WHERE project_id = $1 AND start_time >= $2 AND start_time < $3 GROUP BY user_number, status
"""
_SERIES = """
SELECT ((start_time - $2) / $4::bigint)::int, status, count(*), sum(input_size)::bigint FROM jobs
WHERE project_id = $1 AND start_time >= $2 AND start_time < $3 GROUP BY 1, 2
"""
# A zone's days begin at quarters of an hour. To truncate each job's start instead of each quarter takes twice as long.
_DAYS = f"""
SELECT extract(epoch FROM date_trunc('day', to_timestamp(quarter * {QUARTER_MS // 1000}), '{ZONE}'))::bigint * 1000,
    status, sum(number)::bigint, sum(bytes)::bigint FROM (
        SELECT (start_time / {QUARTER_MS})::int AS quarter, status, count(*) AS number, sum(input_size) AS bytes
        FROM jobs WHERE project_id = $1 AND start_time >= $2 AND start_time < $3 GROUP BY 1, 2
    ) AS quarters GROUP BY 1, 2
"""  # noqa: S608 - of numbers and the name of a zone
_OPTIONS = ("shared_buffers=1GB", "work_mem=64MB", "fsync=off", "jit=off", "max_wal_size=4GB")


@contextmanager
def serving(folder: Path, jobs: Jobs) -> Iterator[Database]:
    """A cluster that holds these jobs."""
    with tempfile.TemporaryDirectory(dir=folder) as data, asyncio.Runner() as runner:
        port = free_port()
        prefix = _as_other_user(Path(data))
        _initialize(prefix, data)
        command = [*prefix, _program("postgres"), "-D", data, "-p", str(port), "-k", ""]
        for option in _OPTIONS:
            command += ["-c", option]
        with stopping(start_child("PostgreSQL", command, os.environ, folder / "postgres.log")) as child:
            wait_ready(child, lambda: _is_ready(port), "accept connections")
            connection = runner.run(_fill(port, jobs))
            statements = [runner.run(connection.prepare(query)) for query in (_QUERY, _SERIES, _DAYS)]
            yield _database(runner, statements, lambda: family_cpu_seconds(child))
            runner.run(connection.close())


async def _fill(port: int, jobs: Jobs) -> Any:
    connection = await asyncpg.connect(host="127.0.0.1", port=port, user=_USER, database="postgres")
    await connection.execute(_TABLE)
    columns = (repeat(PROJECT), *jobs.columns(), range(len(jobs)))
    await connection.copy_records_to_table("jobs", records=zip(*columns, strict=False))
    await connection.execute(_INDEX)
    await connection.execute("VACUUM ANALYZE jobs")
    return connection


def _database(runner: asyncio.Runner, statements: list[Any], cpu_seconds: Callable[[], float]) -> Database:
    statistics, series, days = statements

    def ask(bounds: Bounds) -> Callable[[], Counts]:
        rows = runner.run(statistics.fetch(PROJECT, *limits(bounds)))
        return lambda: to_counts(rows)

    def ask_series(points: Points) -> Callable[[], PointSums]:
        interval = PROJECT, points.start_ms, points.end_ms
        rows = runner.run(days.fetch(*interval) if points.are_days else series.fetch(*interval, points.width_ms))
        return lambda: _sums(points, rows)

    return Database(ask, ask_series, cpu_seconds)


def _sums(points: Points, rows: list[Any]) -> PointSums:
    at, status, number, size_bytes = np.array([tuple(row) for row in rows], np.int64).reshape(-1, 4).T
    return to_sums(points, find(points, at) if points.are_days else at, status, number, size_bytes)


def _initialize(prefix: list[str], data: str) -> None:
    command = [
        *prefix,
        _program("initdb"),
        "-D",
        data,
        "-U",
        _USER,
        "-A",
        "trust",
        "--no-sync",
        "--locale=C",
        "-E",
        "UTF8",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise ChildFailedError(f"initdb failed: {done.stderr.strip()}")


def _is_ready(port: int) -> bool:
    command = [_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    return subprocess.run(command, check=False).returncode == 0  # noqa: S603


def _as_other_user(data: Path) -> list[str]:
    """What a command begins with, since PostgreSQL does not run as root; gives that user the folder."""
    if os.geteuid() != 0:
        return []
    shutil.chown(data, _USER, _USER)
    return ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups", "--pdeathsig=KILL", "--"]


def _program(name: str) -> str:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    path = shutil.which(name) or (str(installed[-1]) if installed else None)
    if path is None:
        raise MissingServerError(f"no {name}: it is in the Debian package `postgresql`")
    return path
