"""Questions that were never asked are answered by a look, of nodes that were read before: while nothing is written."""

import asyncio
import json
from collections import Counter
from random import Random
from typing import Any
from unittest.mock import AsyncMock, Mock

import numpy as np
import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from service.store.errors import StoreUnavailableError
from service.store.layout.heads import Head, Live
from service.store.layout.keys import project_prefix
from service.store.layout.projects import user_key
from service.store.layout.tree import TOP_LEVEL, Shape
from service.store.read.answer_cache import Question, Stamp
from service.store.read.bodies import Bodies
from service.store.read.cover import Cover
from service.store.read.held import Held
from service.store.read.known import Known, KnownProjects, KnownShape, Settled
from service.store.read.learning import Learning
from service.store.read.names import Names
from service.store.read.node_memory import NodeMemory
from service.store.read.node_rows import COLUMNS, Rows
from service.store.read.plan import Plan
from service.store.read.reader import RedisStatisticsStore
from service.store.read.view import Asked, Look
from tests.oracle import Oracle
from tests.store.histories import make_queries
from tests.store.interposed import Interposed
from tests.store.support import NOON_MS, Event, Query, Store, ask, event, stored

SPAN_MS = 1 << 34


def jobs(rnd: Random, count: int) -> list[Event]:
    """Jobs of a few users in half a year, some of which were there before."""
    return [
        event(
            rnd.randrange(3_000),
            user_id=f"user{(user := rnd.randrange(5))}",
            user_name=f"name{user}{rnd.randrange(40) // 39}",
            sequence=rnd.randrange(1 << 20),
            event_time_ms=rnd.randrange(1 << 20),
            start_time_ms=NOON_MS + rnd.randrange(SPAN_MS),
            input_size_bytes=rnd.randrange(1 << 40),
        )
        for _ in range(count)
    ]


def near_each_other(rnd: Random, count: int) -> list[Query]:
    """Questions whose bounds are in few leaves."""
    edges_ms = [NOON_MS + rnd.randrange(SPAN_MS) for _ in range(4)]
    bounds_ms = [sorted(edge_ms + rnd.randrange(1_000) for edge_ms in rnd.choices(edges_ms, k=2)) for _ in range(count)]
    return [("project", start_ms, end_ms, None) for start_ms, end_ms in bounds_ms]


async def test_what_was_read_is_not_read_again(store: Store) -> None:
    """Where other questions have read all nodes of its cover, a question reads head, claims and meta."""
    client: Any = Interposed(store.client)  # type: ignore[arg-type]
    reader, rnd = RedisStatisticsStore(client), Random(1)
    events = jobs(rnd, 3_000)
    oracle = Oracle(events)
    await store.apply(events)
    edges_ms = sorted(NOON_MS + rnd.randrange(SPAN_MS) for _ in range(9))
    for start_ms in edges_ms:
        for end_ms in edges_ms:
            await reader.read("project", start_ms, end_ms, None)
    moved = [("project", start_ms + rnd.randrange(2), end_ms, None) for start_ms in edges_ms for end_ms in edges_ms]
    client.keys.clear()
    for query in moved:
        answer = await reader.read(*query)
        assert (query, json.loads(answer.body)) == (query, oracle.answer(*query))
        assert answer.how == "looked"
        assert (await reader.read(*query)).body is answer.body  # it is remembered, as all answers are
    assert max(map(len, client.keys)) == 3


@pytest.mark.parametrize("start_ms", [NOON_MS, NOON_MS + 1], ids=["remembered", "held"])
async def test_a_look_that_fails_is_an_outage(store: Store, start_ms: int) -> None:
    """It is told of by the name that it has where an answer is awaited, and not read anew."""
    client: Any = Interposed(store.client)  # type: ignore[arg-type]
    reader = RedisStatisticsStore(client)
    await store.apply(jobs(Random(5), 500))
    await reader.read("project", NOON_MS, None, None)
    client.mget = AsyncMock(side_effect=RedisConnectionError("gone"))
    told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    assert reader.ask("project", start_ms, None, None, told.set_result) is None
    error = await told
    assert isinstance(error, StoreUnavailableError)
    assert error.reason == "away"
    client.mget.assert_awaited_once()


async def test_answers_are_those_of_a_recount_between_writes(store: Store) -> None:
    """Whatever is written between questions, and however many are asked at once; most are answered by a look."""
    rnd, events = Random(2), list[Event]()
    hows = Counter[str]()
    for _ in range(25):
        batch = jobs(rnd, rnd.choice((1, 100)))
        events += batch
        await store.apply(batch, watermark_ms=1 + len(events))
        oracle, queries = Oracle(events), make_queries(rnd, events, 20) + near_each_other(rnd, 60)
        for at in range(0, len(queries), 6):
            some = queries[at : at + 6]
            for query, answer in zip(
                some, await asyncio.gather(*[ask(store.reader, each) for each in some]), strict=True
            ):
                assert (query, json.loads(answer.body)) == (query, oracle.answer(*query))
                hows[answer.how] += 1
    assert min(hows["looked"], hows["read"]) > 100


async def test_a_write_meanwhile_is_in_the_answer(store: Store) -> None:
    """Written after the question was begun and before the look: the look says so, and all is read anew."""
    rnd = Random(3)
    events = jobs(rnd, 500)
    await store.apply(events)
    query = ("project", NOON_MS + 5, NOON_MS + SPAN_MS // 2, None)
    await store.reader.read(*query)
    near = ("project", NOON_MS + 6, NOON_MS + SPAN_MS // 2, None)
    told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    reading = store.reader.ask(*near, told.set_result)
    assert reading is None
    writing = jobs(rnd, 50)
    await store.writer.apply(1, store.batches(writing))
    found = await told
    answer = await store.reader.read(*near)
    wanted = [Oracle(events).answer(*near), Oracle(events + writing).answer(*near)]
    assert json.loads(answer.body) == wanted[1]
    assert found is None or json.loads(found.body) in wanted


@pytest.mark.parametrize("other", ["generation", "horizon", "shape", "names", "sub-user"])
def test_nodes_are_held_for_what_was_last_read(other: str) -> None:
    """A Redis that has gone back would else confirm an answer that is made of what it has lost."""
    names, user_id = Names(b"names"), "user" if other == "sub-user" else None
    known, question = Known(KnownShape(b"shape", Shape()), names), Question("project", 1, 9, user_id)
    bodies = Bodies(Mock(Learning), KnownProjects(0), NodeMemory(0), user_key)
    assert bodies.held(question, known, Plan.of(question, known, Live())) is None
    known.settle(Settled(Stamp(b"write", Live()), b"shape", b"names"))
    same = Question("project", 1, 9, None)
    assert bodies.held(same, known, Plan.of(same, known, Live())) is not None
    if other == "shape":
        known.shape = KnownShape(b"later", Shape())
    if other == "names":
        names.names_id = b"later"
    live = {"generation": Live(1), "horizon": Live(0, 5)}.get(other, Live())
    assert bodies.held(question, known, Plan.of(question, known, live)) is None


def test_names_that_came_meanwhile_have_it_read_anew() -> None:
    """Nodes that are held count for the users that were there then; with another user the places are others."""
    names, live = Names(b"names", {user_key("a"): b"\1aname"}), Live()
    known, settled = Known(), Settled(Stamp(b"write", live), b"shape", b"names")
    look = Look(Head(1, (), live), 5, settled.stamp)
    held = Held(settled, Asked(0), names, names.users, [])
    assert held.body(known, look) is not None
    names.update({user_key("b"): b"\1bother"})
    assert held.body(known, look) is None
    names.names_id = settled.names_id  # by a look at the write before
    assert held.body(known, look) is None


def test_a_name_that_came_meanwhile_has_it_read_anew() -> None:
    """It is of a later write: were it remembered with this one, it would stay if Redis lost the later one."""
    names, live = Names(b"names", {user_key(user): f"\1{user}name".encode() for user in "abcdefghi"}), Live()
    known, settled = Known(), Settled(Stamp(b"write", live), b"shape", b"names")
    held = Held(settled, Asked(0), names, names.users, [])
    names.update({user_key("a"): b"\1aother"})
    assert names.users is held.users
    assert held.body(known, Look(Head(1, (), live), 5, settled.stamp)) is None


@pytest.mark.parametrize("stamp", [Stamp(b"later", Live()), Stamp(b"write", Live(1)), Stamp(b"write", Live(0, 5))])
def test_a_look_at_another_write_ends_what_is_held(stamp: Stamp) -> None:
    """Or at another generation or horizon; also for all other questions that would else look in vain."""
    names, known, settled = Names(), Known(), Settled(Stamp(b"write", Live()), b"shape", b"")
    known.settle(settled)
    held = Held(settled, Asked(0), names, names.users, [])
    assert held.body(known, Look(Head(1, (), stamp.live), 5, stamp)) is None
    assert known.settled is None


def test_what_a_later_read_has_seen_is_kept() -> None:
    """A look that is heard late ends what was held when it was asked for, and nothing else."""
    names, live = Names(), Live()
    known, settled = Known(), Settled(Stamp(b"write", live), b"shape", b"")
    later = Settled(Stamp(b"later", live), b"shape", b"")
    known.settle(settled)
    held = Held(settled, Asked(0), names, names.users, [])
    assert known.settle(later) is later.stamp
    assert held.body(known, Look(Head(1, (), live), 5, later.stamp)) is None
    assert known.settled is later


def test_reads_that_saw_the_same_have_one_stamp() -> None:
    """Nodes of several reads are held together by it; after another write it is another one."""
    known, live = Known(), Live()
    first = known.settle(Settled(Stamp(b"write", live), b"shape", b"names"))
    assert known.settle(Settled(Stamp(b"write", live), b"shape", b"names")) is first
    assert known.settle(Settled(Stamp(b"later", live), b"shape", b"names")) is not first


def test_held_damage_has_all_of_it_read_anew() -> None:
    """Other nodes that were read then may be damaged as well."""
    names, live = Names(b"names", {user_key("a"): b"\1aname"}), Live()
    known, settled = Known(), Settled(Stamp(b"write", live), b"shape", b"names")
    known.settle(settled)
    taken = Asked(0, range(9), Cover(taken=[(TOP_LEVEL, (0,))]))
    held = Held(settled, taken, names, names.users, [Rows(np.ones((1, COLUMNS), np.int64))])
    assert held.body(known, Look(Head(1, (), live), 5, settled.stamp)) is None
    assert known.settled is None


@pytest.mark.parametrize(("name", "left_bytes"), [(f"n:36:{NOON_MS >> 36}", 1), ("t", 0)])
async def test_damage_is_not_remembered(store: Store, client: Redis, name: str, left_bytes: int) -> None:
    """Once a key is again what it was, so are answers: also where nobody has written to the project."""
    key, events = f"{project_prefix('project')}{name}", jobs(Random(4), 500)
    middle_ms = NOON_MS + SPAN_MS // 9
    queries: list[Query] = [("project", start_ms, None, None) for start_ms in range(middle_ms, middle_ms + 9)]
    await store.apply(events)
    string = await stored(client, key)
    await client.set(key, string[:left_bytes])
    for query in queries[:3]:
        with pytest.raises(StoreUnavailableError, match="damaged"):
            await ask(store.reader, query)
    await store.body("project", 0, 1)  # which does not show it
    await client.set(key, string)
    for query in queries:
        assert json.loads((await ask(store.reader, query)).body) == Oracle(events).answer(*query)


async def test_an_answer_that_holds_no_more_costs_one_look(store: Store) -> None:
    """It is forgotten then: what goes on to read does not look at it again."""
    client: Any = Interposed(store.client)  # type: ignore[arg-type]
    reader = RedisStatisticsStore(client)
    await store.apply([event(1)])
    await reader.read("project", None, None, None)
    await store.apply([event(2)])
    client.keys.clear()
    answer = await ask(reader, ("project", None, None, None))
    assert json.loads(answer.body)["total_running_num"] == 2
    assert [len(keys) > 3 for keys in client.keys] == [False, True]
