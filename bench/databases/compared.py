"""What is compared: the databases, and the jobs of one project that all of them have."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from bench.databases import clickhouse, duck, postgres
from bench.databases.asking import Database
from bench.jobs import Jobs

SIZES = (300_000, 3_000_000)
LEAST_JOBS = 2_000
USERS = 20
OTHERS: Mapping[str, Callable[[Path, Jobs], AbstractContextManager[Database]]] = {
    "PostgreSQL": postgres.serving,
    "DuckDB": duck.serving,
    "ClickHouse": clickhouse.serving,
}
