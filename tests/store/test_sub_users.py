"""What a sub-user is shown: its own jobs, found in packed strings by its key, and nobody else's."""

import pytest
from redis.asyncio import Redis

from service.store.layout.nodes import ROW_BYTES
from service.store.layout.projects import user_key
from service.store.read.reader import RedisStatisticsStore
from service.store.read.sums import only_user
from tests.store.support import Store, event

KEY = user_key("user")


def entry(user: bytes, filler: bytes) -> bytes:
    """An entry whose start and size are any bytes."""
    return filler[:14].ljust(14, b"\0") + user + b"\1"


def row(user: bytes, filler: bytes, width: int) -> bytes:
    """A row whose numbers are any bytes."""
    return (user + filler)[:width].ljust(width, b"\0")


@pytest.mark.parametrize("shift", range(9))
def test_numbers_of_an_entry_that_look_like_a_user_key_are_no_user(shift: int) -> None:
    """A key is one only at its own place in an entry, also where numbers before or after it look the same."""
    other, lookalike = user_key("other"), bytes(shift) + KEY
    entries = [entry(other, lookalike), entry(KEY, lookalike), entry(KEY, b""), entry(other, b"")]
    assert only_user(b"L" + b"".join(entries), KEY) == entries[1:3]


@pytest.mark.parametrize("marker", ROW_BYTES, ids=["narrow", "wide"])
@pytest.mark.parametrize("shift", [*range(9), 28])
def test_numbers_of_a_row_that_look_like_a_user_key_are_no_user(shift: int, marker: bytes) -> None:
    """The same of a row of either width, also where a row ends with the first bytes of the key."""
    other, lookalike, width = user_key("other"), bytes(shift) + KEY, ROW_BYTES[marker]
    rows = [row(other, lookalike, width), row(KEY, lookalike, width), row(other, b"", width)]
    assert only_user(marker + b"".join(rows), KEY) == rows[1:2]


async def test_user_whose_key_is_another_users_sees_nothing(store: Store) -> None:
    """The id under a key decides whose jobs they are: who merely shares the key gets zeros."""
    await store.apply([event(user_id="user")])
    store.reader = RedisStatisticsStore(store.client, key_of_user=lambda _: KEY)
    assert (await store.body("project", user_id="user"))["total_running_num"] == 1
    assert (await store.body("project", user_id="stranger"))["total_running_num"] == 0


async def test_store_that_went_back_does_not_revive_what_was_remembered(client: Redis, store: Store) -> None:
    """After Redis was emptied and filled otherwise, a reader shows the new names and the new tree."""
    await store.apply([event(job, user_name="old", start_time_ms=job) for job in range(200)])
    assert (await store.body("project", 5, 9))["total_user_num"] == 1
    await client.flushdb()
    await Store(client).apply([event(job, user_name="new", start_time_ms=job) for job in range(20)])
    users = (await store.body("project", 5, 25))["users"]
    assert [(user["user_name"], user["running_num"]) for user in users] == [("new", 15)]  # type: ignore[attr-defined]
