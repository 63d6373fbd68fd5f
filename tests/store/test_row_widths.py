"""The rows of a node are narrow until one does not fit: then all of them become wide, and stay so."""

from collections.abc import Callable, Iterable, Sequence
from random import Random

import pytest
from hypothesis import given, settings
from redis.asyncio import Redis

from service.events.event import MAX_SIZE_BYTES, JobDeletion, JobStatus
from service.store.audit.audit import audit_project
from service.store.audit.tree import sum_of
from service.store.layout.keys import project_prefix
from service.store.layout.nodes import has_rows
from service.store.layout.projects import user_key
from service.store.layout.tree import TOP_LEVEL, Node
from tests.store.histories import History, heavy_histories, make_queries
from tests.store.support import (
    NOON_MS,
    Client,
    Event,
    Query,
    Store,
    assert_equals_oracle,
    assert_no_drift,
    event,
    job_uuid,
    stored,
    stored_nodes,
)

MOST_JOBS = 255
MOST_BYTES = 2**56 - 1
NARROW, WIDE = 19, 40
PROJECT = "p"
HEAVY, NEW = "u", "U"
TOP: Node = (TOP_LEVEL, 0)
TOP_KEY = f"{project_prefix(PROJECT)}n:42:0"
PLACES: dict[str, Callable[[int], int]] = {
    "one millisecond": lambda job: NOON_MS,
    "four seconds": lambda job: NOON_MS + 10 * job,
    "years": lambda job: NOON_MS + (job << 27),
}


def does_not_fit(string: bytes) -> bool:
    """Whether a row counts more than a narrow one can hold."""
    return any(number > (MOST_BYTES if column < 0 else MOST_JOBS) for (_, column), number in sum_of(string).items())


class Watched:
    """A store, all its events, and which of its nodes had, after some batch, a row that is too large to be narrow."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.applied: list[Event] = []
        self.outgrown: set[Node] = set()

    async def apply(self, batch: Sequence[Event], queries: Iterable[Query] = ()) -> None:
        """Applies a batch: then just the outgrown nodes are wide, answers equal a recount, the audit finds nothing."""
        await self.store.apply(batch)
        self.applied += batch
        nodes = await stored_nodes(self.store.client, PROJECT)
        with_rows = {node: string for node, string in nodes.items() if has_rows(string)}
        self.outgrown |= {node for node, string in with_rows.items() if does_not_fit(string)}
        assert {node for node, string in with_rows.items() if string[:1] == b"R"} == self.outgrown
        for string in with_rows.values():
            width = WIDE if string[:1] == b"R" else NARROW
            assert len(string) == 1 + width * len({user for user, _ in sum_of(string)})
        await assert_equals_oracle(self.store, self.applied, queries)
        await assert_no_drift(self.store.client, self.applied)


@pytest.fixture
def watched(store: Store) -> Watched:
    """An empty store."""
    return Watched(store)


def jobs(place: Callable[[int], int], numbers: Iterable[int], **changes: object) -> list[Event]:
    """An event of each of these jobs, which start as the place says."""
    fields = {"project_id": PROJECT, "user_id": HEAVY, **changes}
    return [event(number, start_time_ms=place(number), **fields) for number in numbers]


def queries_of(events: list[Event]) -> list[Query]:
    """What an administrator and the users may ask, of all time and of intervals with bounds at the jobs."""
    users = (None, HEAVY, NEW, "other1", "nobody")
    intervals = make_queries(Random(1), events, 12)
    return [
        (project, start, end, user)
        for project, start, end, _ in [(PROJECT, None, None, None), *intervals[3:]]
        for user in users
    ]


def known(place: Callable[[int], int], others: int) -> list[Event]:
    """As many jobs of one user as a narrow row can hold and one in another state, beside other users of two jobs."""
    small = [
        each
        for other in range(others)
        for each in jobs(place, (1_000 + 2 * other, 1_001 + 2 * other), user_id=f"other{other}")
    ]
    return [*small, *jobs(place, range(MOST_JOBS)), *jobs(place, [500], status=JobStatus.LAUNCHING)]


Growth = Callable[[Callable[[int], int], int], list[Event]]
LARGE = {"status": JobStatus.FAILED, "input_size_bytes": MAX_SIZE_BYTES}
GROWTHS: dict[str, Growth] = {
    "one more job": lambda place, _: jobs(place, [600]),
    "a job that changes its state": lambda place, _: jobs(place, [500], sequence=1),
    "a job of each user": lambda place, others: [
        *jobs(place, [600]),
        *[each for n in range(others) for each in jobs(place, [700 + n], user_id=f"other{n}")],
    ],
    "one more job and a new user": lambda place, _: [*jobs(place, [600]), *jobs(place, [601], user_id=NEW)],
    "a new user of many jobs": lambda place, _: jobs(place, range(600, 856), user_id=NEW),
    "many bytes": lambda place, _: jobs(place, range(600, 609), **LARGE),
    "a new user of many bytes": lambda place, _: jobs(place, range(600, 609), user_id=NEW, **LARGE),
    "many bytes and a new user": lambda place, _: [
        *jobs(place, range(600, 609), **LARGE),
        *jobs(place, [609], user_id=NEW),
    ],
}


@pytest.mark.parametrize("others", [0, 40], ids=["dense", "sparse"])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("growth", GROWTHS.values(), ids=GROWTHS)
async def test_node_becomes_wide(watched: Watched, growth: Growth, place: Callable[[int], int], others: int) -> None:
    """A node whose rows just fit becomes wide with what no longer does, then takes more jobs, and loses some."""
    before = known(place, others)
    queries = queries_of([*before, *growth(place, others)])
    await watched.apply(before, queries)
    assert watched.outgrown == set()
    await watched.apply(growth(place, others), queries)
    assert TOP in watched.outgrown
    await watched.apply(jobs(place, [900]), queries)
    await watched.apply(jobs(place, range(901, 905), user_id="last"), queries)
    await watched.apply([JobDeletion(PROJECT, job_uuid(number)) for number in range(0, 900, 2)], queries)


@pytest.mark.parametrize("number", [1, 255, 256])
async def test_new_millisecond_in_a_split_node_is_as_wide_as_it_must_be(watched: Watched, number: int) -> None:
    """A millisecond that gets its first jobs where its neighbours have rows already begins narrow, if they fit."""
    neighbour = NOON_MS ^ 1
    before, new = known(PLACES["one millisecond"], 0), jobs(lambda _: neighbour, range(2_000, 2_000 + number))
    queries = queries_of([*before, *new])
    await watched.apply(before, queries)
    await watched.apply(new, queries)
    assert ((0, neighbour) in watched.outgrown) == (number > MOST_JOBS)
    assert await watched.store.client.exists(f"{project_prefix(PROJECT)}n:0:{neighbour}")


@pytest.mark.parametrize("status", JobStatus)
async def test_each_state_makes_a_node_wide(watched: Watched, status: JobStatus) -> None:
    """A narrow row has a byte for the jobs of each state."""
    place = PLACES["one millisecond"]
    await watched.apply(jobs(place, range(MOST_JOBS), status=status))
    assert watched.outgrown == set()
    await watched.apply(jobs(place, [600], status=status))
    assert TOP in watched.outgrown


async def test_wide_node_stays_wide(watched: Watched) -> None:
    """A node does not become narrow again, not even without jobs, and goes on from there."""
    place = PLACES["one millisecond"]
    await watched.apply(jobs(place, range(256)))
    await watched.apply([JobDeletion(PROJECT, job_uuid(number)) for number in range(256)], queries_of([event()]))
    top = await stored(watched.store.client, TOP_KEY)
    assert top == b"R" + user_key(HEAVY) + bytes(34)
    await watched.apply(jobs(place, range(300, 303)), queries_of(jobs(place, [300])))


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
async def test_rows_at_their_limits_are_narrow(watched: Watched, place: Callable[[int], int]) -> None:
    """255 jobs in each of the six states and 2^56-1 bytes fit, of each user; one byte more does not."""
    sizes = [MAX_SIZE_BYTES] * 8 + [7]
    users = [HEAVY, NEW, "other1"]
    events = [
        each
        for n, user_id in enumerate(users)
        for status in JobStatus
        for number in range(MOST_JOBS)
        for each in jobs(
            place,
            [(n * 6 + status) * MOST_JOBS + number],
            user_id=user_id,
            status=status,
            input_size_bytes=sizes[number] if status == JobStatus.FAILED and number < len(sizes) else 0,
        )
    ]
    queries = queries_of(events)
    for start in range(0, len(events), 2_000):
        await watched.apply(events[start : start + 2_000])
    await watched.apply([], queries)
    assert watched.outgrown == set()
    top = await stored(watched.store.client, TOP_KEY)
    row = b"\xff" * (6 + 7)
    assert top == b"r" + b"".join(user_key(user) + row for user in sorted(users, key=key_number))
    await watched.apply(jobs(place, [0], status=JobStatus.LAUNCHING, input_size_bytes=1, sequence=1), queries)
    assert TOP in watched.outgrown


def key_number(user_id: str) -> int:
    """What rows are sorted by."""
    return int.from_bytes(user_key(user_id), "little")


@pytest.mark.parametrize("others", [0, 40], ids=["dense", "sparse"])
async def test_batch_that_ends_within_the_limits_leaves_rows_narrow(watched: Watched, others: int) -> None:
    """What counts is a batch's outcome: a job that comes while another leaves makes no row too large."""
    place = PLACES["four seconds"]
    before = known(place, others)
    batch = [*jobs(place, [600]), *jobs(place, [0], status=JobStatus.FINISHED, sequence=1)]
    await watched.apply(before)
    await watched.apply(batch, queries_of([*before, *batch]))
    assert watched.outgrown == set()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param([], [{"numbers": range(255)}], id="255 jobs"),
        pytest.param([], [{"numbers": range(256)}], id="256 jobs"),
        pytest.param([{"numbers": range(128)}], [{"numbers": range(128, 256)}], id="a full leaf and 128 jobs"),
        pytest.param(
            [],
            [{"numbers": range(256)}, {"numbers": range(300, 320), "user_id": NEW}],
            id="a user of few beside one of many",
        ),
        pytest.param(
            [],
            [{"numbers": range(121), "user_id": NEW}, {"numbers": range(200, 208), "input_size_bytes": MAX_SIZE_BYTES}],
            id="2^56-8 bytes",
        ),
        pytest.param(
            [],
            [{"numbers": range(121), "user_id": NEW}, {"numbers": range(200, 209), "input_size_bytes": MAX_SIZE_BYTES}],
            id="more than 2^56 bytes",
        ),
    ],
)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
async def test_split_makes_a_node_as_wide_as_it_must_be(
    watched: Watched, first: list[dict[str, object]], second: list[dict[str, object]], place: Callable[[int], int]
) -> None:
    """A leaf that splits becomes a node of narrow rows if all fit, else of wide ones, and so do its children."""
    batches = [[each for some in batch for each in jobs(place, **some)] for batch in (first, second)]  # type: ignore[arg-type]
    queries = queries_of(batches[1])
    for batch in batches:
        await watched.apply(batch, queries)
    await watched.apply(jobs(place, range(900, 903), user_id="last"), queries)


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
async def test_split_is_narrow_up_to_the_limit(watched: Watched, place: Callable[[int], int]) -> None:
    """The topmost node of 255 jobs is born narrow, that of 256 wide."""
    await watched.apply(jobs(place, range(255)))
    assert watched.outgrown == set()
    await watched.store.client.flushdb()
    again = Watched(Store(watched.store.client))
    await again.apply(jobs(place, range(256)))
    assert TOP in again.outgrown


async def test_busy_users_node_leaves_others_narrow(watched: Watched) -> None:
    """A node is wide for what it holds itself: those below and beside it keep narrow rows, and answers mix both."""
    busy = jobs(PLACES["one millisecond"], range(300))
    quiet = [
        event(f"{day} {n}", project_id=PROJECT, user_id=f"other{n % 20}", start_time_ms=NOON_MS + (day << 27) + n)
        for day in range(1, 4)
        for n in range(150)
    ]
    await watched.apply([*quiet, *busy], queries_of([*busy, *quiet]))
    nodes = await stored_nodes(watched.store.client, PROJECT)
    narrow = {node for node, string in nodes.items() if string[:1] == b"r"}
    assert {(27, (NOON_MS >> 27) + day) for day in range(1, 4)} <= narrow
    assert {TOP, (0, NOON_MS)} <= watched.outgrown


@pytest.mark.parametrize("others", [0, 150])
async def test_wide_rows_beyond_two_to_the_64_bytes(watched: Watched, others: int) -> None:
    """Wide rows stay exact in all their bytes, beside few users or many, in sums of nodes and in their differences."""
    before = known(PLACES["four seconds"], others)
    large = jobs(PLACES["four seconds"], range(2_000, 4_100), input_size_bytes=MAX_SIZE_BYTES)
    queries = queries_of([*before, *large])
    await watched.apply(before, queries)
    await watched.apply(large, queries)
    assert (await watched.store.body(PROJECT))["total_input_size"] == 2_100 * MAX_SIZE_BYTES + 7 * len(before) > 2**64
    await watched.apply(jobs(PLACES["four seconds"], range(2_000, 4_000), sequence=1), queries)


@pytest.mark.parametrize("number", [200, 300], ids=["narrow", "wide"])
@pytest.mark.parametrize(
    ("damage", "what"),
    [
        pytest.param(lambda top, _: top[:-1] + bytes([top[-1] ^ 1]), "not the sum of what lies below", id="bytes"),
        pytest.param(lambda top, _: top[:7] + b"\x01" + top[8:], "not the sum of what lies below", id="count"),
        pytest.param(lambda top, width: top[:1] + top[1 + width :] + top[1 : 1 + width], "not sorted", id="order"),
        pytest.param(lambda top, _: top[:1].swapcase() + top[1:], "is not a node of level 42", id="marker"),
        pytest.param(lambda top, _: top[:-1], "is not a node of level 42", id="length"),
    ],
)
async def test_audit_sees_damage_in_rows_of_either_width(
    client: Redis, store: Store, number: int, damage: Callable[[bytes, int], bytes], what: str
) -> None:
    """A changed number, rows out of order, another width than the marker says: all are reported."""
    place = PLACES["years"]
    await store.apply([*jobs(place, range(number)), *jobs(place, range(500, 550), user_id=NEW)])
    top = await stored(client, TOP_KEY)
    await client.set(TOP_KEY, damage(top, (len(top) - 1) // 2))
    drifts = await audit_project(client, PROJECT)
    assert [drift for drift in drifts if drift.key == TOP_KEY and what in drift.what], drifts


@settings(max_examples=60)
@given(heavy_histories())
async def test_history_across_the_limits(client: Client, history: History) -> None:
    """After each batch those nodes are wide that ever had to be, answers equal a recount, and nothing drifts."""
    await client.flushdb()
    watched = Watched(Store(client))
    for number, batch in enumerate(history.batches):
        await watched.apply(batch, history.queries[number :: len(history.batches)])
    await assert_equals_oracle(watched.store, watched.applied, history.queries)
