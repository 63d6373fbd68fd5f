"""How long each database takes for the same questions over the same jobs of one project."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path

from bench.asking import ApiClient
from bench.constant import running_constant
from bench.databases import ours
from bench.databases.asking import Ask, Database
from bench.databases.compared import LEAST_JOBS, OTHERS, SIZES, USERS
from bench.jobs import PROJECT, Counts, Jobs, make_jobs, to_body
from bench.ranges import KINDS
from bench.recount import Bounds
from bench.run import VOID, Row, Run, is_void, percentile
from bench.waiting import WAITED, Watch, all_until_quiet

_KIND_SECONDS = 4.0  # a slow database answers fewer questions
_LEAST_ANSWERS = 5
_CHECKED = 2
_MOST_WAITED_PERCENT = 15.0  # parallel workers wait for each other
_OURS, _CONSTANT, _POSTGRES, _DUCK = "ours, over HTTP", "a constant body, over HTTP", "PostgreSQL", "DuckDB"
_OVER_CONSTANT_MS = 0.35

_Asked = Mapping[tuple[str, str], Row]
"""By database and kind of range."""


_Serving = Callable[[Path, Jobs], AbstractContextManager[Ask]]


@contextmanager
def _constant(folder: Path, jobs: Jobs) -> Iterator[Ask]:
    """What answers a body of our size at once, and is believed."""
    with running_constant(folder, to_body(jobs.count((None, None)))) as (_, port), ApiClient(port) as client:

        def ask(bounds: Bounds) -> Callable[[], Counts]:
            client.ask(PROJECT, bounds)
            return lambda: jobs.count(bounds)

        yield ask


def _asking(serving: Callable[[Path, Jobs], AbstractContextManager[Database]]) -> _Serving:
    @contextmanager
    def ask_of(folder: Path, jobs: Jobs) -> Iterator[Ask]:
        with serving(folder, jobs) as database:
            yield database.ask

    return ask_of


# Those of a group are asked by turns.
_GROUPS: list[dict[str, _Serving]] = [
    {_OURS: _asking(ours.serving), _CONSTANT: _constant},
    *({name: _asking(serving)} for name, serving in OTHERS.items()),
]


def measure(run: Run) -> list[Row]:
    """A row for each size and database."""
    return [row for size in SIZES for row in _measure_size(run, run.count(size, LEAST_JOBS))]


def _measure_size(run: Run, size: int) -> list[Row]:
    jobs = make_jobs(size, USERS)
    asked: dict[tuple[str, str], Row] = {}
    for group in _GROUPS:
        run.say(f"databases: {size:,} jobs into {' and '.join(group)}")
        with ExitStack() as stack:
            asks = {name: stack.enter_context(serving(run.folder, jobs)) for name, serving in group.items()}
            for kind, draw in KINDS.items():
                questions = partial(draw, random.Random(kind))  # others in each try
                rows = all_until_quiet(run, _MOST_WAITED_PERCENT, partial(_measure_kind, run, jobs, questions, asks))
                asked |= {(name, kind): row for name, row in zip(asks, rows, strict=True)}
    _state_goals(run, jobs, asked)
    return [_row(f"{size:,} jobs, {name}", name, asked) for group in _GROUPS for name in group]


def _measure_kind(run: Run, jobs: Jobs, draw: Callable[[], Bounds], asks: Mapping[str, Ask]) -> list[Row]:
    """A row for each database."""
    latencies_ms: dict[str, list[float]] = {name: [] for name in asks}
    most = run.count(500, 20)
    watch, ends = Watch(), time.monotonic() + _KIND_SECONDS
    for number in range(most):
        if number >= _LEAST_ANSWERS and time.monotonic() > ends:
            break
        bounds = draw()
        for name, ask in asks.items():
            started = time.perf_counter()
            counts = ask(bounds)
            latencies_ms[name].append((time.perf_counter() - started) * 1000)
            if number < _CHECKED:
                jobs.check(bounds, counts(), name)
    waited = watch.percent()
    return [
        {
            "p50_ms": round(percentile(taken, 50), 2),
            "p99_ms": round(percentile(taken, 99), 2),
            WAITED: waited,
        }
        for taken in latencies_ms.values()
    ]


def _row(measured: str, name: str, asked: _Asked) -> Row:
    """All kinds of range; what was waited is that of the worst, and one that is void makes the row void."""
    row: Row = {"measured": measured}
    for kind in KINDS:
        for figure in ("p50_ms", "p99_ms"):
            row[f"{kind.replace(' ', '_')}_{figure}"] = asked[name, kind][figure]
    row[WAITED] = max(float(asked[name, kind][WAITED]) for kind in KINDS)
    return row | ({VOID: True} if any(is_void(asked[name, kind]) for kind in KINDS) else {})


def _state_goals(run: Run, jobs: Jobs, asked: _Asked) -> None:
    def middles_ms(kind: str, *names: str) -> list[float]:
        return [float(asked[name, kind]["p50_ms"]) for name in names]

    title, hour, years = f"databases, {len(jobs):,} jobs", "1 hour", "2 years"
    ours_ms, constant_ms, postgres_ms = middles_ms(hour, _OURS, _CONSTANT, _POSTGRES)
    of = [asked[name, hour] for name in (_OURS, _CONSTANT, _POSTGRES)]
    run.keep(f"{title}: ms of ours over PostgreSQL's, 1 hour", ours_ms - postgres_ms, constant_ms, of)
    if len(jobs) == run.count(max(SIZES), LEAST_JOBS):
        over_ms = ours_ms - constant_ms
        run.keep(f"{title}: ms of ours over a constant body's, 1 hour", over_ms, _OVER_CONSTANT_MS, of[:2])
        ours_ms, postgres_ms, duck_ms = middles_ms(years, _OURS, _POSTGRES, _DUCK)
        of = [asked[name, years] for name in (_OURS, _POSTGRES, _DUCK)]
        run.reach(f"{title}: PostgreSQL by ours, 2 years", postgres_ms / ours_ms, 200, of[:2])
        run.reach(f"{title}: DuckDB by ours, 2 years", duck_ms / ours_ms, 10, [of[0], of[2]])
