"""Names of users beside the numbers: fetched one by one as they change, while they never hold still."""

import asyncio
import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from service.store.errors import StoreUnavailableError
from service.store.layout.heads import Live
from service.store.layout.keys import project_prefix
from service.store.layout.projects import NAMING_BYTES, naming_digest, user_key
from service.store.read.answer_cache import Stamp
from service.store.read.answers import administrator_body
from service.store.read.cover import Cover
from service.store.read.names import Names, parse_namings
from service.store.read.node_memory import NodeMemory
from service.store.read.reader import RedisStatisticsStore
from service.store.read.sums import sum_nodes
from tests.oracle import Oracle
from tests.store.interposed import Interposed
from tests.store.support import Event, Store, event

USERS = 3_000
PREFIX = project_prefix("project")


@pytest.fixture
def between(client: Redis) -> Interposed:
    """A client for a reader that is disturbed."""
    return Interposed(client)


@pytest.fixture
def reader(between: Interposed) -> RedisStatisticsStore:
    """A reader that is disturbed."""
    return RedisStatisticsStore(between)  # type: ignore[arg-type]


def named(user: int, name: str, time_ms: int = 1_000) -> Event:
    """A job of a user, who has this name from then on."""
    return event(f"job-{user}-{time_ms}", user_id=f"user{user}", user_name=name, event_time_ms=time_ms)


async def ask(reader: RedisStatisticsStore, user_id: str | None = None) -> tuple[dict[str, Any], int]:
    """The answer's body, and its as-of."""
    answer = await reader.read("project", None, None, user_id)
    return json.loads(answer.body), answer.as_of_ms


async def test_name_is_as_old_as_the_numbers(store: Store, between: Interposed, reader: RedisStatisticsStore) -> None:
    """A user renamed once after the numbers were read has, in the answer, the name of their time."""
    before, after = [named(1, "old")], [named(1, "old"), named(1, "new", 2_000)]
    await store.apply(before, watermark_ms=1)

    async def rename_once() -> None:
        between.before_hmget = None
        await store.apply(after, watermark_ms=2)

    between.before_hmget = rename_once
    body, as_of_ms = await ask(reader)
    assert body == Oracle({1: before, 2: after}[as_of_ms]).answer("project")


async def test_only_changed_names_are_fetched(store: Store, between: Interposed, reader: RedisStatisticsStore) -> None:
    """After the first answer only those who are new or renamed are asked for, in the same view as the numbers."""
    events = [named(user, f"name{user}") for user in range(USERS)]
    await store.apply(events)
    await ask(reader)
    assert sum(between.fetched) == USERS
    for turn in range(1, 6):
        between.fetched.clear()
        between.keys.clear()
        changes = [named(turn, f"renamed{turn}", 2_000 + turn), named(USERS + turn, f"new{turn}")]
        events += changes
        await store.apply(changes)
        assert (await ask(reader))[0] == Oracle(events).answer("project")
        assert between.fetched == [2]
        assert len(between.keys) <= 3  # the shape may have changed as well
    between.fetched.clear()
    await store.apply([event("another", user_id="user7", user_name="name7")])
    await ask(reader)
    assert between.fetched == []


async def test_names_that_never_hold_still_do_not_keep_an_answer(
    store: Store, between: Interposed, reader: RedisStatisticsStore
) -> None:
    """Renamed before each fetch, a user has a name that is newer than the numbers; the numbers are those of as-of."""
    events = [named(user, f"name{user}") for user in range(USERS)]
    await store.apply(events, watermark_ms=1)
    prefixes = {1: list(events)}

    async def change() -> None:
        number = len(prefixes) + 1
        changes = [named(5, f"renamed{number}", 1_000 + number), named(10_000 + number, "new")]
        await store.apply(changes, watermark_ms=number)
        prefixes[number] = [*prefixes[number - 1], *changes]

    between.before_hmget = change
    for _ in range(5):
        body, as_of_ms = await ask(reader)
        assert without_names(body) == without_names(Oracle(prefixes[as_of_ms]).answer("project"))
    between.before_hmget = None
    assert (await ask(reader))[0] == Oracle(prefixes[len(prefixes)]).answer("project")


def without_names(body: dict[str, Any]) -> dict[str, Any]:
    """An answer without the name of the user who is renamed, in any order of users."""
    users = [{**each, "user_name": "?"} if each["running_num"] > 1 else each for each in body["users"]]
    return {**body, "users": sorted(users, key=str)}


async def test_many_who_ask_at_once_fetch_names_once(
    store: Store, between: Interposed, reader: RedisStatisticsStore
) -> None:
    """Names of a project that nobody has asked for yet are fetched for all who wait."""
    events = [named(user, f"name{user}") for user in range(50)]
    await store.apply(events)
    bodies = await asyncio.gather(*[ask(reader) for _ in range(20)])
    assert [body for body, _ in bodies] == [Oracle(events).answer("project")] * 20
    assert between.fetched == [50]


async def test_sub_users_need_no_names_but_their_own(
    store: Store, between: Interposed, reader: RedisStatisticsStore
) -> None:
    """A sub-user's answer takes one look at its own id, and none if it has no jobs."""
    events = [named(user, f"name{user}") for user in range(50)]
    await store.apply(events)
    for user_id in ("user7", "user7", "nobody"):
        assert (await ask(reader, user_id))[0] == Oracle(events).answer("project", user_id=user_id)
    assert between.fetched == [1]


@pytest.mark.parametrize("asks", [None, "user0"])
async def test_jobs_of_a_user_without_a_name_are_no_number(client: Redis, store: Store, asks: str | None) -> None:
    """A user who has jobs is lost from the names: the store has drifted, and there is no answer."""
    await store.apply([named(0, "a"), named(1, "b")])
    await client.hdel(f"{PREFIX}u", user_key("user0"))
    with pytest.raises(StoreUnavailableError, match=r"project project .*lacks a user who has jobs"):
        await ask(store.reader, asks)
    await client.delete(f"{PREFIX}t", f"{PREFIX}u")
    with pytest.raises(StoreUnavailableError, match="lacks a user who has jobs"):
        await ask(RedisStatisticsStore(client), asks)


@st.composite
def renamings(draw: st.DrawFn) -> list[dict[str, str]]:
    """Updates of names by user id: many at once, a few, and none; names often shared."""
    rnd = Random(draw(st.integers(0, 2**32)))
    sizes = draw(st.lists(st.sampled_from((0, 1, 2, 5, 40, 300)), min_size=1, max_size=8))
    return [{f"user{rnd.randrange(400)}": rnd.choice(("a", "b", "é", "zz", "")) for _ in range(size)} for size in sizes]


@given(renamings())
def test_names_stay_sorted_however_they_come(updates: list[dict[str, str]]) -> None:
    """After each update keys, order and what is lacking are as if all had been sorted anew."""
    names, known = Names(), dict[str, str]()
    for update in updates:
        lacking = {user_key(user) for user, name in update.items() if known.get(user) != name}
        namings = [(int.from_bytes(user_key(user), "little"), user, name) for user, name in update.items()]
        data = b"".join(
            user_key(user) + bytes(NAMING_BYTES - 12) + naming_digest(user, name) for _, user, name in sorted(namings)
        )
        assert set(names.lacking(parse_namings(data))) == lacking
        names.update({user_key(user): bytes([len(user)]) + f"{user}{name}".encode() for user, name in update.items()})
        known |= update
        assert names.lacking(parse_namings(data)) == []
        leaf = b"L" + b"".join(bytes(14) + user_key(user) + b"\0" for user in known)
        [entries] = NodeMemory(0).nodes(["leaf"], [leaf], names.users, Stamp(b"", Live()))
        sums = sum_nodes(names.users, Cover([(0, [0])]), range(0), [entries])
        body = json.loads(administrator_body(sums, names))
        assert [each["user_name"] for each in body["users"]] == sorted(known.values())
        by_key = sorted(known, key=user_key_number)
        in_order = sorted(known, key=lambda user: (known[user], user))
        assert [by_key[position] for position in names.listed(sums)[0].tolist()] == in_order


def user_key_number(user_id: str) -> int:
    """What users are sorted by."""
    return int.from_bytes(user_key(user_id), "little")
