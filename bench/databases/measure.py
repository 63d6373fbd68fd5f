"""How long each database takes for the same questions over the same jobs of one project."""

import random
import time

from bench.asking import ApiClient
from bench.constant import running_constant
from bench.databases import ours
from bench.databases.asking import Ask
from bench.databases.compared import LEAST_JOBS, OTHERS, SIZES, USERS
from bench.jobs import PROJECT, Jobs, make_jobs, to_body
from bench.ranges import KINDS, random_range
from bench.run import Row, Run, percentile

_KIND_SECONDS = 4.0  # a slow database answers fewer questions
_LEAST_ANSWERS = 5
_CHECKED = 2
_OURS = "ours, over HTTP"

_DATABASES = {_OURS: ours.serving, **OTHERS}


def measure(run: Run) -> list[Row]:
    """A row for each size and database."""
    return [row for size in SIZES for row in _measure_size(run, run.count(size, LEAST_JOBS))]


def _measure_size(run: Run, size: int) -> list[Row]:
    jobs = make_jobs(size, USERS)
    rows = []
    for name, serving in _DATABASES.items():
        run.say(f"databases: {size:,} jobs into {name}")
        with serving(run.folder, jobs) as database:
            rows.append(_measure_database(run, f"{size:,} jobs, {name}", jobs, database.ask))
    _state_goals(run, jobs, dict(zip(_DATABASES, rows, strict=True)))
    return rows


def _measure_database(run: Run, name: str, jobs: Jobs, ask: Ask) -> Row:
    row: Row = {"measured": name}
    for kind, draw in KINDS.items():
        rnd = random.Random(kind)
        latencies_ms: list[float] = []
        ends = time.monotonic() + _KIND_SECONDS
        while len(latencies_ms) < _LEAST_ANSWERS or (
            len(latencies_ms) < run.count(500, 20) and time.monotonic() < ends
        ):
            bounds = draw(rnd)
            started = time.perf_counter()
            counts = ask(bounds)
            latencies_ms.append((time.perf_counter() - started) * 1000)
            if len(latencies_ms) <= _CHECKED:
                jobs.check(bounds, counts(), name)
        row[f"{kind.replace(' ', '_')}_p50_ms"] = round(percentile(latencies_ms, 50), 2)
        row[f"{kind.replace(' ', '_')}_p99_ms"] = round(percentile(latencies_ms, 99), 2)
    return row


def _http_floor_ms(run: Run, jobs: Jobs) -> float:
    """What the client alone takes for an answer of our size, in the middle."""
    rnd = random.Random("floor")
    with running_constant(run.folder, to_body(jobs.count((None, None)))) as (_, port), ApiClient(port) as client:
        asked = [client.ask(PROJECT, random_range(rnd)) for _ in range(run.count(500, 20))]
    return percentile([seconds for _, seconds in asked], 50) * 1000


def _state_goals(run: Run, jobs: Jobs, rows: dict[str, Row]) -> None:
    def middle_ms(database: str, kind: str) -> float:
        return float(rows[database][f"{kind}_p50_ms"])

    title = f"databases, {len(jobs):,} jobs"
    ours_by_hour = middle_ms(_OURS, "1_hour")
    floor_ms = _http_floor_ms(run, jobs)
    run.keep(
        f"{title}: ms of ours over PostgreSQL's, 1 hour", ours_by_hour - middle_ms("PostgreSQL", "1_hour"), floor_ms
    )
    if len(jobs) == run.count(max(SIZES), LEAST_JOBS):
        ours_by_years = middle_ms(_OURS, "2_years")
        run.reach(f"{title}: PostgreSQL by ours, 2 years", middle_ms("PostgreSQL", "2_years") / ours_by_years, 200)
        run.reach(f"{title}: DuckDB by ours, 2 years", middle_ms("DuckDB", "2_years") / ours_by_years, 10)
