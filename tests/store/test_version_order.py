"""The order of a job's events is total, the contract's, and the same in Python and in the script."""

from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from service.events.event import MAX_MS, MAX_SEQUENCE, JobEvent, JobStatus, is_newer
from tests.oracle import version
from tests.store.support import Store, assert_equals_oracle, event

STATUSES = ("LAUNCHING", "RUNNING", "CANCELING", "FAILED", "FINISHED", "CANCELLED")
SEQUENCES = (0, 1, 255, 256, 2**16, MAX_SEQUENCE)
TIMES = (0, 255, 256, 2**32 - 1, 2**32, MAX_MS)


def versioned(sequence: int, time_ms: int, status: str) -> JobEvent:
    """An event with this version."""
    return event(sequence=sequence, event_time_ms=time_ms, status=JobStatus[status])


def all_events() -> st.SearchStrategy[JobEvent]:
    """Events that differ in their versions."""
    sequences, times = st.sampled_from(SEQUENCES), st.sampled_from(TIMES)
    return st.builds(versioned, sequences, times, st.sampled_from(STATUSES))


def test_statuses_rank_as_the_contract_says() -> None:
    """With equal sequence and time the status decides: LAUNCHING is the least, CANCELLED the greatest."""
    by_version = sorted((versioned(1, 1, status) for status in reversed(STATUSES)), key=version)
    assert [each.status.name for each in by_version] == list(STATUSES)


@given(all_events(), all_events())
def test_sequence_comes_first_then_time_then_status(a: JobEvent, b: JobEvent) -> None:
    """Any two versions are ordered by the first field that differs, and equal only if all are."""

    def before(first: JobEvent, second: JobEvent) -> bool:
        if first.sequence != second.sequence:
            return first.sequence < second.sequence
        if first.event_time_ms != second.event_time_ms:
            return first.event_time_ms < second.event_time_ms
        return STATUSES.index(first.status.name) < STATUSES.index(second.status.name)

    same = (a.sequence, a.event_time_ms, a.status.name) == (b.sequence, b.event_time_ms, b.status.name)
    order = (version(a) < version(b), version(a) == version(b), version(a) > version(b))
    assert order == (before(a, b), same, before(b, a))
    assert (is_newer(b, a), is_newer(a, b)) == (before(a, b), before(b, a))


RIVALS = [
    event(start_time_ms=start_ms, input_size_bytes=size_bytes, user_id=user)
    for start_ms, size_bytes, user in product((0, 255, 256, MAX_MS), (0, 2**40), ("user", "user-2"))
]


@given(st.sampled_from(RIVALS), st.sampled_from(RIVALS))
def test_rivals_of_one_version_have_an_order(a: JobEvent, b: JobEvent) -> None:
    """Where sequence, time and status are equal the greater start counts, then the greater size, then the user."""
    assert is_newer(b, a) == (version(a) < version(b))
    assert is_newer(a, b) + is_newer(b, a) == (a != b)
    if a.start_time_ms != b.start_time_ms:
        assert is_newer(b, a) == (a.start_time_ms < b.start_time_ms)
    elif a.input_size_bytes != b.input_size_bytes:
        assert is_newer(b, a) == (a.input_size_bytes < b.input_size_bytes)


@pytest.mark.parametrize("together", [True, False])
async def test_of_rivals_the_same_one_counts_in_whatever_order_they_come(store: Store, together: bool) -> None:
    """In one batch or in several, the script and the fold choose the same one."""
    pairs = [
        [replace(each, project_id=f"p{number}") for each in pair] for number, pair in enumerate(permutations(RIVALS, 2))
    ]
    if together:
        await store.apply([each for pair in pairs for each in pair])
    else:
        await store.apply([first for first, _ in pairs])
        await store.apply([second for _, second in pairs])
    await assert_equals_oracle(
        store,
        [each for pair in pairs for each in pair],
        [(f"p{number}", None, None, None) for number in range(len(pairs))],
    )


async def test_script_orders_versions_as_python_does(store: Store) -> None:
    """Of any two events the greater counts, whichever was applied first; an equal one changes nothing."""
    some = [versioned(*each) for each in product((0, 1, 256, MAX_SEQUENCE), (0, 256, 2**32, MAX_MS), STATUSES[::2])]
    pairs = list(permutations(some, 2)) + [(each, each) for each in some]
    first = [change(a, job, size_of(a, b)) for job, (a, b) in enumerate(pairs)]
    second = [change(b, job, size_of(b, a)) for job, (a, b) in enumerate(pairs)]
    assert await store.apply(first) == len(pairs)
    assert await store.apply(second) == sum(version(a) < version(b) for a, b in zip(first, second, strict=True))
    for job, (a, b) in enumerate(pairs):
        expected = 0 if version(a) == version(b) else 1
        assert (a, b, (await store.body("project", job, job + 1))["total_input_size"]) == (a, b, expected)


def size_of(mine: JobEvent, other: JobEvent) -> int:
    """1 byte for the greater of two events, 0 for the other."""
    return int(version(mine) > version(other))


def change(each: JobEvent, job: int, size_bytes: int) -> JobEvent:
    """The same version, of a job that has a millisecond to itself."""
    return event(
        job,
        sequence=each.sequence,
        event_time_ms=each.event_time_ms,
        status=each.status,
        start_time_ms=job,
        input_size_bytes=size_bytes,
    )
