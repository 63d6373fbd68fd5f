"""What the tests of series share: borders to ask with, and series as the oracle gives them."""

from collections.abc import Sequence
from random import Random

from service.events.event import MAX_MS, JobEvent, JobStatus
from service.store.contract import Series
from service.store.read.reader import RedisStatisticsStore
from tests.store.histories import NAMES, PROJECTS, USERS, edge
from tests.store.support import NOON_MS, Event

SeriesQuery = tuple[str, Sequence[int], str | None, str | None]


def points_of(series: Series) -> list[dict[str, int]]:
    """A series as the oracle gives it."""
    columns = {f"{status.name.lower()}_num": series.jobs[status] for status in JobStatus}
    columns["input_size"] = series.size_bytes
    return [dict(zip(columns, point, strict=True)) for point in zip(*columns.values(), strict=True)]


async def read_points(reader: RedisStatisticsStore, query: SeriesQuery) -> list[dict[str, int]]:
    """The points of a series; all of its numbers are Python's own."""
    series = await reader.series(*query)
    points = points_of(series)
    assert {type(number) for point in points for number in point.values()} == {int}
    return points


def make_borders(rnd: Random, events: Sequence[Event]) -> list[int]:
    """Borders at jobs, at edges of buckets around them, a millisecond or a step apart, and outside of everything."""
    starts = [each.start_time_ms for each in events if isinstance(each, JobEvent)] or [NOON_MS]
    near, borders = 0, set[int]()
    for _ in range(rnd.randrange(1, 6)):
        near, kind = rnd.choice(starts), rnd.randrange(6)
        if kind == 0:
            borders.update(range(near, near + rnd.randrange(2, 40)))
        elif kind == 1:
            step = rnd.choice((7, 1_000, 60_000, 86_400_000, 2**36))
            borders.update(range(near - rnd.randrange(step), near + step * rnd.randrange(1, 60), step))
        elif kind == 2:
            borders.update(edge(rnd, near) for _ in range(20))
        elif kind == 3:
            borders.update(rnd.choices(starts, k=20))
        elif kind == 4:
            borders.update(rnd.randrange(MAX_MS + 2) for _ in range(9))
        else:
            borders.update((0, MAX_MS, MAX_MS + 1))
    borders = {each for each in borders if 0 <= each <= MAX_MS + 1} | {near, near + 1}
    return sorted(borders)


def make_series_queries(rnd: Random, events: Sequence[Event], count: int) -> list[SeriesQuery]:
    """Questions of everybody, of a user, and of a name that several may have, or nobody."""
    whose = [(None, None), (None, None), *((user, None) for user in USERS[:3]), *((None, name) for name in NAMES[:3])]
    whose += [("nobody", None), (None, "nobody")]
    projects = sorted({each.project_id for each in events}) or [PROJECTS[0]]
    return [
        (rnd.choice([*projects, *projects, "unknown"]), make_borders(rnd, events), *rnd.choice(whose))
        for _ in range(count)
    ]
