"""Cases at the limits: many jobs in one place, many projects, users, events; large sums; long names."""

from itertools import pairwise
from uuid import UUID

import pytest
from redis.asyncio import Redis

from service.events.event import MAX_SIZE_BYTES, JobDeletion, JobEvent, JobStatus
from service.store.layout.keys import project_prefix
from service.store.layout.projects import parse_meta
from service.store.write.writer import MAX_JOBS_PER_CALL
from tests.store.support import (
    NOON_MS,
    Query,
    Store,
    assert_equals_oracle,
    assert_no_drift,
    event,
    job_uuid,
    stored,
    stored_hash,
)

JOBS = 10_000
USERS = 5_000
EVENTS_OF_A_JOB = 3_000


def around(*times: int) -> list[Query]:
    """Intervals between these times and those right beside them."""
    edges = sorted({max(0, time + by) for time in times for by in (-1, 0, 1)})
    return [("project", start, end, None) for start, end in pairwise(edges)] + [("project", None, None, None)]


async def test_ten_thousand_jobs_in_one_millisecond(store: Store) -> None:
    """A millisecond cannot be split: it holds rows, whatever the number of its jobs."""
    events = [event(job, user_id=f"user{job % 7}", input_size_bytes=job) for job in range(JOBS)]
    await store.apply(events)
    await assert_equals_oracle(store, events, [*around(NOON_MS), ("project", NOON_MS, NOON_MS + 1, "user3")])
    await assert_no_drift(store.client, events)


async def test_ten_thousand_jobs_within_a_minute(store: Store) -> None:
    """A dense minute is split as fine as it needs, and stays exact to the millisecond."""
    events = [event(job, user_id=f"user{job % 7}", start_time_ms=NOON_MS + job * 6) for job in range(JOBS)]
    for start in range(0, JOBS, 2_500):
        await store.apply(events[start : start + 2_500])
    await assert_equals_oracle(store, events, around(*[NOON_MS + at for at in (0, 6, 600, 25_998, 59_994)]))
    await assert_no_drift(store.client, events)


async def test_one_job_in_each_of_a_thousand_projects(store: Store) -> None:
    """Projects that share a stripe do not mix."""
    events = [event(job, project_id=f"project-{job}", input_size_bytes=job) for job in range(1_000)]
    assert await store.apply(events) == 1_000
    await assert_equals_oracle(store, events, [(each.project_id, None, None, None) for each in events])


async def test_project_of_five_thousand_users(store: Store) -> None:
    """Each user has a row of its own, in order of names, and can be asked for alone."""
    events = [
        event(
            number, user_id=f"user{number % USERS}", user_name=f"name{-number % USERS}", start_time_ms=NOON_MS + number
        )
        for number in range(USERS + 500)
    ]
    await store.apply(events)
    await assert_equals_oracle(
        store, events, [*around(NOON_MS + 700), *[("project", None, None, f"user{n}") for n in (0, 1, 499, 500, 4_999)]]
    )
    await assert_no_drift(store.client, events)


async def test_sums_beyond_two_to_the_63(store: Store) -> None:
    """Bytes stay exact where a signed 64-bit number and a double would not, and come down again."""
    events: list[JobEvent] = [event(job, input_size_bytes=MAX_SIZE_BYTES) for job in range(1_500)]
    await store.apply(events)
    total = (await store.body("project"))["total_input_size"]
    assert total == 1_500 * MAX_SIZE_BYTES > 2**63
    smaller = [event(job, sequence=1, input_size_bytes=job % 2) for job in range(1_499)]
    await store.apply(smaller)
    assert (await store.body("project"))["total_input_size"] == MAX_SIZE_BYTES + 749
    await assert_no_drift(store.client, events)


async def test_longest_names_and_ids(store: Store) -> None:
    """Names of 128 four-byte characters and ids of 64 characters come back whole."""
    events = [
        event("j" * 63 + str(n), project_id="p" * 64, user_id="u" * 63 + str(n), user_name=chr(0x1F9EC + n) * 128)
        for n in range(9)
    ]
    await store.apply(events)
    queries: list[Query] = [("p" * 64, None, None, user) for user in (None, "u" * 63 + "4", "u" * 63 + "9")]
    await assert_equals_oracle(store, events, queries)
    assert (await store.body("p" * 64))["users"][8]["user_name"] == "\U0001f9f4" * 128  # type: ignore[index]


@pytest.mark.parametrize("batch", [1, EVENTS_OF_A_JOB])
async def test_one_job_with_thousands_of_events(store: Store, batch: int) -> None:
    """A job counts once, at its latest event, however it got there."""
    events = [
        event(user_id=f"user{n % 5}", sequence=n, status=JobStatus(n % 6), start_time_ms=NOON_MS + n % 300)
        for n in range(EVENTS_OF_A_JOB)
    ]
    for start in range(0, len(events), batch):
        await store.apply(events[start : start + batch])
    await assert_equals_oracle(store, events, around(NOON_MS, events[-1].start_time_ms))
    await assert_no_drift(store.client, events)


@pytest.mark.parametrize("jobs", [MAX_JOBS_PER_CALL, MAX_JOBS_PER_CALL + 1, 2 * MAX_JOBS_PER_CALL + 1])
async def test_batch_of_several_calls(store: Store, jobs: int) -> None:
    """A batch too large for one call is applied wholly, with the jobs of a neighbour in the same stripe."""
    neighbour = "project-63"  # in the stripe of "project"
    assert store.batches([event(0), event(0, project_id=neighbour)])[1:] == []
    events = [event(0, project_id=neighbour), *[event(n, user_id=f"user{n % 3000}") for n in range(jobs)]]
    assert await store.apply(events) == jobs + 1
    await assert_equals_oracle(store, events, [("project", None, None, None), (neighbour, None, None, None)])
    assert await store.apply(events) == 0
    await assert_no_drift(store.client, events)


@pytest.mark.parametrize("first", [0, 1, 128])
async def test_leaf_splits_with_its_129th_job(client: Redis, store: Store, first: int) -> None:
    """A leaf takes 128 jobs; one more makes it an inner node, and its children are judged alike."""
    top, child = (f"{project_prefix('project')}n:{level}:0" for level in (42, 36))
    events = [event(job, start_time_ms=job << 20) for job in range(129)]
    for part in (events[:first], events[first:128]):
        await store.apply(part)
    assert (await stored(client, top))[:1] == b"L"
    await store.apply(events)
    assert ((await stored(client, top))[:1], (await stored(client, child))[:1]) == (b"r", b"r")
    await assert_no_drift(client, events)


@pytest.mark.parametrize(
    "job_ids",
    [
        pytest.param([job_uuid(number) for number in range(JOBS)], id="UUIDs"),
        pytest.param([f"job-{number}" for number in range(JOBS)], id="ids that are no UUIDs"),
        pytest.param([str(UUID(int=number)) for number in range(JOBS)], id="UUIDs that count up"),
    ],
)
async def test_records_lie_in_listpacks(client: Redis, store: Store, job_ids: list[str]) -> None:
    """The hashes of job records stay in the compact encoding, 24 records each on average."""
    for start in range(0, len(job_ids), 500):
        await store.apply([event(job_id) for job_id in job_ids[start : start + 500]])
    prefix = project_prefix("project")
    hashes = parse_meta(await stored(client, f"{prefix}m")).hashes
    assert hashes == -(-len(job_ids) // 24)
    encodings = {await client.object("encoding", f"{prefix}j:{number}") for number in range(hashes)}
    assert encodings == {b"listpack"}


@pytest.mark.parametrize("shift", [8, 16, 96, 104, 112])
async def test_records_of_uuids_that_count_up_in_a_higher_byte(client: Redis, store: Store, shift: int) -> None:
    """Such UUIDs leave some hashes empty, but crowd none: none has more than twice the average."""
    job_ids = [str(UUID(int=number << shift)) for number in range(JOBS)]
    for start in range(0, JOBS, 500):
        await store.apply([event(job_id) for job_id in job_ids[start : start + 500]])
    prefix = project_prefix("project")
    hashes = parse_meta(await stored(client, f"{prefix}m")).hashes
    sizes = [len(await stored_hash(client, f"{prefix}j:{number}")) for number in range(hashes)]
    assert (sum(sizes), hashes) == (JOBS, -(-JOBS // 24))
    assert max(sizes) <= 48


async def test_first_large_batch_leaves_listpacks(client: Redis, store: Store) -> None:
    """Also the first hashes of a project that begins with a whole call of jobs end as listpacks."""
    await store.apply([event(job) for job in range(MAX_JOBS_PER_CALL)])
    prefix = project_prefix("project")
    assert [await client.object("encoding", f"{prefix}j:{number}") for number in (0, 1)] == [b"listpack"] * 2


async def test_records_that_change_in_the_batch_that_moves_them(client: Redis, store: Store) -> None:
    """Hashes grow before records are written: what a batch says of a job is kept though its record moves meanwhile."""
    known = [event(job, start_time_ms=job) for job in range(192)]
    moved = [event(job, sequence=1, start_time_ms=job + 500) for job in range(0, 192, 2)]
    deleted = [JobDeletion("project", job_uuid(job)) for job in range(1, 192, 4)]
    fresh = [event(job, start_time_ms=job) for job in range(200, 800)]
    await store.apply(known)
    await store.apply([*moved, *deleted, *fresh])
    await assert_no_drift(client, known)
    again = [event(job, sequence=2, start_time_ms=job + 900) for job in range(192)]
    await store.apply(again)
    await assert_equals_oracle(store, [*known, *moved, *deleted, *fresh, *again], around(100, 500, 599, 900, 1_000))
    await assert_no_drift(client, known)
