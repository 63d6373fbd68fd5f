"""What stands in the way of a batch is found before the first write."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from service.events.event import JobStatus
from service.store.errors import RefusedError
from service.store.layout.keys import project_prefix, stripe_of, stripe_tag
from service.store.layout.projects import user_key
from service.store.layout.tree import TOP_LEVEL
from service.store.write.writer import StripeBatch
from tests.store.support import NOON_MS, Event, Store, assert_equals_oracle, event, everything

PREFIX = project_prefix("project")
STRIPE = stripe_of("project")
ONE_MS = f"n:0:{NOON_MS}"
LESS_THAN_NONE = "DRIFT a user has fewer jobs or bytes than none"


class OneKey(Store):
    """Writes as if ann and bob had the same key: a collision of digests, which nobody can make."""

    def batches(self, events: Sequence[Event], watermark_ms: int = 0) -> list[StripeBatch]:
        """Returns batches that name the two under that key."""
        return [
            replace(batch, projects=[replace(each, users=with_one_key(each.users)) for each in batch.projects])
            for batch in super().batches(events, watermark_ms)
        ]


def with_one_key(users: bytes) -> bytes:
    """Returns packed users with the same key for ann and bob."""
    return users.replace(user_key("ann"), b"sameke").replace(user_key("bob"), b"sameke")


async def put_in_the_way(client: Redis, key: str) -> None:
    """A value of a type that the store keeps nowhere."""
    await client.xadd(key, {"a": "b"})


async def assert_refused(store: Store, events: Sequence[Event], problem: str) -> None:
    """The batch is refused, and every key is as it was."""
    before = await everything(store.client)
    with pytest.raises(RefusedError, match=problem) as failure:
        await store.apply(events)
    assert (failure.value.stripe, failure.value.project_id) == (STRIPE, "project")
    assert await everything(store.client) == before


@pytest.mark.parametrize(
    "key",
    [
        f"{PREFIX}m",
        f"{PREFIX}t",
        f"{PREFIX}j:0",
        f"{PREFIX}n:42:0",
        f"{PREFIX}u",
        f"{PREFIX}s",
        f"{PREFIX}j:1",
        f"{stripe_tag(STRIPE)}projects",
    ],
)
async def test_key_of_a_wrong_type_refuses_a_new_project(store: Store, key: str) -> None:
    """A foreign value under any key that the batch would write refuses it; once away, the batch goes through."""
    assert isinstance(store.client, Redis)
    await put_in_the_way(store.client, key)
    events = [event(job, start_time_ms=job) for job in range(200)]
    await assert_refused(store, events, "WRONGTYPE")
    await store.client.delete(key)
    assert await store.apply(events) == len(events)


@pytest.mark.parametrize("name", ["m", "t", "u", "s", "j:0", "j:7", "j:8", "n:42:0", "n:42:9", ONE_MS])
async def test_key_of_a_wrong_type_refuses_a_known_project(store: Store, name: str) -> None:
    """The same where the store has been at work: in what a batch reads, splits, grows or appends to."""
    assert isinstance(store.client, Redis)
    known = [event(job) for job in range(192)]  # eight hashes of 24
    await store.apply(known)
    await store.client.delete(f"{PREFIX}{name}")
    await put_in_the_way(store.client, f"{PREFIX}{name}")
    fresh = [event(job, user_id="new", start_time_ms=9 << TOP_LEVEL) for job in range(200, 400)]
    changed = [event(job, sequence=1, user_name="new", event_time_ms=2_000, input_size_bytes=8) for job in range(192)]
    await assert_refused(store, [*changed, *fresh], "WRONGTYPE")


async def test_refused_project_holds_back_its_whole_stripe(store: Store) -> None:
    """Projects of one stripe are applied together: a neighbour of the refused one is not written either."""
    assert isinstance(store.client, Redis)
    await put_in_the_way(store.client, f"{PREFIX}j:0")
    await assert_refused(store, [event(project_id="project-63"), event()], "WRONGTYPE")


async def test_users_who_share_a_key_are_refused(store: Store) -> None:
    """A user whose key another has is never counted under it; both are named."""
    store = OneKey(store.client)
    await store.apply([event(1, user_id="ann")])
    await assert_refused(store, [event(2, user_id="bob")], "COLLISION users ann and bob share a key")
    assert await store.apply([event(3, user_id="ann")]) == 1


async def test_new_users_who_share_a_key_in_one_batch_are_refused(store: Store) -> None:
    """The same, when the store has seen neither before."""
    await assert_refused(OneKey(store.client), [event(1, user_id="ann"), event(2, user_id="bob")], "COLLISION")


async def test_stored_user_under_a_foreign_key_is_a_collision(store: Store) -> None:
    """Who stands under a key decides, not who should; a renaming is then refused and the name stays."""
    assert isinstance(store.client, Redis)
    await store.apply([event(1)])
    await store.client.hset(f"{PREFIX}u", user_key("user"), b"\x05othername")
    renaming = event(2, user_name="new", event_time_ms=2_000)
    await assert_refused(store, [renaming], "COLLISION users other and user share a key")


@pytest.mark.parametrize(
    ("jobs", "damage", "problem"),
    [
        pytest.param(1, ("n:42:0", 1, bytes(1)), "DRIFT no such contribution", id="start in a leaf"),
        pytest.param(129, (ONE_MS, 7, bytes(6)), LESS_THAN_NONE, id="counts in narrow rows"),
        pytest.param(129, (ONE_MS, 13, bytes(7)), LESS_THAN_NONE, id="bytes in narrow rows"),
        pytest.param(129, ("n:42:0", 7, bytes(6)), LESS_THAN_NONE, id="counts in narrow topmost rows"),
        pytest.param(256, (ONE_MS, 7, bytes(24)), LESS_THAN_NONE, id="counts in wide rows"),
        pytest.param(256, (ONE_MS, 31, bytes(10)), LESS_THAN_NONE, id="bytes in wide rows"),
        pytest.param(256, ("n:42:0", 7, bytes(24)), LESS_THAN_NONE, id="counts in wide topmost rows"),
    ],
)
async def test_drift_is_refused_rather_than_counted(
    store: Store, jobs: int, damage: tuple[str, int, bytes], problem: str
) -> None:
    """Where the tree does not hold what a record says it does, no number is made up."""
    assert isinstance(store.client, Redis)
    await store.apply([event(job) for job in range(jobs)])
    node, offset, value = damage
    await store.client.setrange(f"{PREFIX}{node}", offset, value)
    await assert_refused(store, [event(0, sequence=1, start_time_ms=NOON_MS << 5)], problem)


@pytest.mark.parametrize("status", JobStatus)
async def test_drift_of_each_state_is_refused(store: Store, status: JobStatus) -> None:
    """A row that has lost the jobs of one state, and holds those of the others."""
    assert isinstance(store.client, Redis)
    await store.apply([event(job, status=status) for job in range(129)])
    await store.client.setrange(f"{PREFIX}{ONE_MS}", 7 + status, bytes(1))
    moved = event(0, status=status, sequence=1, start_time_ms=NOON_MS << 5)
    await assert_refused(store, [moved], LESS_THAN_NONE)


@pytest.mark.parametrize(("offset", "value"), [(11, b"\xff" * 4), (31, b"\xff" * 10)], ids=["jobs", "bytes"])
async def test_sum_too_large_for_a_row_is_refused(store: Store, offset: int, value: bytes) -> None:
    """A count or a sum of bytes that a wide row cannot hold does not begin again at zero."""
    assert isinstance(store.client, Redis)
    await store.apply([event(job) for job in range(256)])
    top = f"{PREFIX}n:42:{NOON_MS >> 42}"
    assert await store.client.getrange(top, 0, 0) == b"R"
    await store.client.setrange(top, offset, value)
    await assert_refused(store, [event("one more", input_size_bytes=7)], "OVERFLOW")


async def test_refused_batch_leaves_answers_as_they_were(store: Store) -> None:
    """After a refusal the store answers and takes other batches."""
    assert isinstance(store.client, Redis)
    await store.apply([event(1)])
    await put_in_the_way(store.client, f"{project_prefix('project-63')}t")
    with pytest.raises(RefusedError, match="project project-63: WRONGTYPE"):
        await store.apply([event(2), event(2, project_id="project-63")])
    events = [event(1), event(3)]
    await store.apply([event(3)])
    await assert_equals_oracle(store, events, [("project", None, None, None)])


@pytest.mark.parametrize("before", [0, 3_000], ids=["first call", "later call"])
async def test_refusals_are_told_by_stripe_and_hold_no_other_stripe_back(store: Store, before: int) -> None:
    """A stripe whose batch is refused, in whichever of its calls, stays at its offsets; all others move."""
    assert isinstance(store.client, Redis)
    assert stripe_of("project-63") == STRIPE != stripe_of("project-2")
    await put_in_the_way(store.client, f"{PREFIX}m")
    neighbours = [event(job, project_id="project-63") for job in range(before)]
    others = [event(job, project_id="project-2") for job in range(5_000)]
    applied = await store.writer.try_apply(1, store.batches([*neighbours, event(1), *others], 7))
    assert {stripe: refusal.project_id for stripe, refusal in applied.refused.items()} == {STRIPE: "project"}
    assert applied.moved_ids.keys() == {stripe_of("project-2")}
    heads = await store.writer.read_heads()
    assert [any(each.next_offset for each in heads[stripe_of(p)].progress) for p in ("project", "project-2")] == [
        False,
        True,
    ]
    await assert_equals_oracle(store, others, [("project-2", None, None, None)])
