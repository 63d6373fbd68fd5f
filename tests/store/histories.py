"""Hypothesis strategies for histories of events: batches in the order in which they are applied."""

from collections.abc import Callable
from random import Random
from uuid import UUID

from hypothesis import strategies as st

from service.events.event import MAX_MS, MAX_SEQUENCE, MAX_SIZE_BYTES, JobDeletion, JobEvent, JobStatus
from service.store.layout.tree import LEVELS, TOP_LEVEL
from tests.store.support import NOON_MS, Event, Query

PROJECTS = ("p", "projects", "P" * 64)
USERS = ("u", "U", "user-2", "z" * 64, *(f"user{i}" for i in range(10)))
# pairs that sort otherwise by locale, by case, or as UTF-16
NAMES = ("ann", "Ann", "böb", "zoë", "\uffee", "\U00010000", "\U0001f9ec" * 128, "n")
UUID_TEXT = "180b9816-fb9f-454a-9537-09bee18834e0"
JOBS = (UUID_TEXT, UUID_TEXT.upper(), UUID_TEXT.replace("-", ""), "job", "j" * 64, str(UUID(int=0)), str(UUID(int=1)))
SIZES = (0, 1, 2**32 - 1, 2**32, MAX_SIZE_BYTES)
TWO_YEARS_MS = 2 * 365 * 86_400_000


class History:
    """Batches of events, and questions to ask about them."""

    def __init__(self, batches: list[list[Event]], queries: list[Query]) -> None:
        self.batches = batches
        self.queries = queries

    def __repr__(self) -> str:
        """The batches, or, where nobody would read that, their sizes."""
        if len(self.events) > 60:
            return f"History(batches of {[len(batch) for batch in self.batches]} events, {len(self.queries)} queries)"
        return f"History({self.batches!r}, {self.queries!r})"

    @property
    def events(self) -> list[Event]:
        """All events in the order in which they are applied."""
        return [event for batch in self.batches for event in batch]


def clamp(time_ms: int) -> int:
    """The nearest valid time."""
    return max(0, min(MAX_MS, time_ms))


def edge(rnd: Random, time_ms: int) -> int:
    """A time at or beside an edge of a bucket around this one."""
    level = rnd.choice(LEVELS)
    return clamp(((time_ms >> level) + rnd.randrange(2) << level) + rnd.choice((-1, 0, 1)))


# where the jobs of a crowd start
PLACES: dict[str, Callable[[Random], int]] = {
    "one ms": lambda rnd: NOON_MS,
    "few ms": lambda rnd: NOON_MS + rnd.randrange(20),
    "minute": lambda rnd: NOON_MS + rnd.randrange(60_000),
    "two years": lambda rnd: NOON_MS + rnd.randrange(TWO_YEARS_MS),
    "edges": lambda rnd: edge(rnd, NOON_MS),
    "topmost edges": lambda rnd: clamp((rnd.randrange(3) << TOP_LEVEL) + rnd.randrange(-999, 1_000)),
    "all time": lambda rnd: rnd.randrange(MAX_MS + 1) if rnd.random() < 0.5 else rnd.choice((0, 1, MAX_MS - 1, MAX_MS)),
}


def random_event(rnd: Random, project_id: str, job_id: str, place: Callable[[Random], int]) -> Event:
    """An event of a job; few values in each field, so that ties are common."""
    if rnd.random() < 0.03:
        return JobDeletion(project_id, job_id)
    return JobEvent(
        project_id,
        job_id,
        rnd.choice(USERS),
        rnd.choice(NAMES),
        JobStatus(rnd.randrange(6)),
        rnd.choice((0, 1, 2, 2**32, MAX_MS)),
        place(rnd),
        rnd.choice((*SIZES, rnd.randrange(MAX_SIZE_BYTES))),
        rnd.choice((0, 0, 1, 2, 2**16, MAX_SEQUENCE)),
    )


@st.composite
def crowds(draw: st.DrawFn) -> list[Event]:
    """Many jobs of one project that start in one kind of place: enough to split leaves."""
    size = draw(st.sampled_from((0, 20, 129, 400)))
    place = PLACES[draw(st.sampled_from(sorted(PLACES)))]
    project_id = draw(st.sampled_from(PROJECTS))
    rnd = Random(draw(st.integers(0, 2**32)))
    return [
        random_event(rnd, project_id, f"crowd-{number}", place)
        for number in range(size)
        for _ in range(rnd.choice((1, 1, 3)))
    ]


@st.composite
def heavy_crowds(draw: st.DrawFn) -> list[Event]:
    """Hundreds of jobs of one user, most in one state, beside users of few: around what a narrow row can hold."""
    size = draw(st.sampled_from((250, 256, 300, 700)))
    others = draw(st.sampled_from((0, 1, 40)))
    place = PLACES[draw(st.sampled_from(sorted(PLACES)))]
    sizes = draw(st.sampled_from(((0, 1), (0, 0, 0, 0, MAX_SIZE_BYTES), (MAX_SIZE_BYTES,))))
    leaving = draw(st.sampled_from((0.0, 0.5)))
    rnd = Random(draw(st.integers(0, 2**32)))

    def job_event(number: int, user_id: str, sequence: int) -> JobEvent:
        status = JobStatus.RUNNING if rnd.random() < 0.95 else JobStatus(rnd.randrange(6))
        fields = (status, 1, place(rnd), rnd.choice(sizes), sequence)
        return JobEvent(PROJECTS[0], f"heavy-{number}", user_id, "name", *fields)

    events: list[Event] = [job_event(number, f"user{number}", 1) for number in range(others)]
    events += [job_event(number, USERS[0], 1) for number in range(others, others + size)]
    for number in range(others + size):
        if rnd.random() < leaving:
            deletion = JobDeletion(PROJECTS[0], f"heavy-{number}")
            events.append(rnd.choice((deletion, job_event(number, rnd.choice(USERS[:2]), 2))))
    return events


def start_times() -> st.SearchStrategy[int]:
    """Start times of all kinds; the simplest is 0."""
    at_edge = st.builds(
        lambda level, index, by: clamp((index << level) + by),
        st.sampled_from(LEVELS),
        st.integers(0, 9),
        st.sampled_from((-1, 0, 1)),
    )
    near = st.integers(NOON_MS, NOON_MS + 60_000)
    years = st.integers(NOON_MS, NOON_MS + TWO_YEARS_MS)
    return st.one_of(st.sampled_from((0, MAX_MS, NOON_MS)), at_edge, near, years, st.integers(0, MAX_MS))


def single_events() -> st.SearchStrategy[Event]:
    """One event or deletion, small enough to shrink."""
    projects, jobs = st.sampled_from(PROJECTS), st.sampled_from(JOBS)
    return st.one_of(
        st.builds(
            JobEvent,
            projects,
            jobs,
            st.sampled_from(USERS),
            st.sampled_from(NAMES),
            st.sampled_from(JobStatus),
            st.integers(0, 3) | st.just(MAX_MS),
            start_times(),
            st.sampled_from(SIZES) | st.integers(0, MAX_SIZE_BYTES),
            st.integers(0, 2) | st.just(MAX_SEQUENCE),
        ),
        st.builds(JobDeletion, projects, jobs),
    )


def cut(rnd: Random, events: list[Event], batches: int) -> list[list[Event]]:
    """The events in so many batches, some of them empty."""
    edges = sorted(rnd.randrange(len(events) + 1) for _ in range(batches - 1))
    return [events[start:end] for start, end in zip([0, *edges], [*edges, len(events)], strict=True)]


def make_queries(rnd: Random, events: list[Event], count: int) -> list[Query]:
    """Questions with bounds at jobs, beside them, at edges of buckets around them, and open."""
    starts = [each.start_time_ms for each in events if isinstance(each, JobEvent)] or [0]
    projects = sorted({each.project_id for each in events})

    def bound() -> int | None:
        near = rnd.choice(starts)
        return rnd.choice((None, clamp(near + rnd.choice((-1, 0, 1))), edge(rnd, near), rnd.randrange(MAX_MS + 1)))

    queries: list[Query] = [(project, None, None, user) for project in projects for user in (None, USERS[0], "nobody")]
    for _ in range(count):
        start, end = bound(), bound()
        if start is not None and end is not None and start > end:
            start, end = end, start
        queries.append((rnd.choice([*projects, "unknown"]), start, end, rnd.choice((None, None, *USERS[:3]))))
    return queries


def disorder(rnd: Random, events: list[Event]) -> list[Event]:
    """The same events in any order, some of them more than once."""
    some = [*events, *rnd.choices(events, k=len(events) // 4)] if events else []
    rnd.shuffle(some)
    return some


@st.composite
def heavy_histories(draw: st.DrawFn) -> History:
    """A heavy crowd, in order or not, cut into batches."""
    events = draw(heavy_crowds())
    rnd = Random(draw(st.integers(0, 2**32)))
    ordered = disorder(rnd, events) if draw(st.booleans()) else events
    return History(cut(rnd, ordered, draw(st.integers(1, 5))), make_queries(rnd, events, 25))


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Few projects, users and names; a crowd and single events, out of order, repeated, cut into batches."""
    events = draw(crowds()) + draw(st.lists(single_events(), max_size=25))
    rnd = Random(draw(st.integers(0, 2**32)))
    ordered = disorder(rnd, events) if draw(st.booleans()) else events
    return History(cut(rnd, ordered, draw(st.integers(1, 6))), make_queries(rnd, events, 25))
