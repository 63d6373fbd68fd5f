"""Groups: how members come in, rebalance, commit and leave."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Protocol

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.protocol.coordination import FindCoordinatorRequest

from deploy.local.waiting import eventually
from tests.simulation.kafka.contract.broker import Broker
from tests.simulation.kafka.contract.member import (
    ILLEGAL_GENERATION,
    INCONSISTENT_PROTOCOL,
    INVALID_GROUP,
    INVALID_SESSION,
    MEMBER_ID_REQUIRED,
    OK,
    REBALANCE,
    UNKNOWN_MEMBER,
    Member,
    member_of,
)


class MakeMember(Protocol):
    """Makes a member: of a group of its own, or of another member's."""

    async def __call__(self, beside: Member | None = None, **options: int) -> Member:
        """`options` are session_ms and rebalance_ms."""


@pytest.fixture
async def make_member(broker: Broker) -> AsyncIterator[MakeMember]:
    """Members whose connections end with the case."""
    async with AsyncExitStack() as stack:

        async def make(beside: Member | None = None, **options: int) -> Member:
            group = beside.group if beside else ""
            return await stack.enter_async_context(member_of(broker.bootstrap, group, **options))

        yield make


async def pair(make_member: MakeMember, session_ms: int = 10_000, rebalance_ms: int = 10_000) -> tuple[Member, Member]:
    """Leader and follower of a stable group."""
    leader = await (await make_member(session_ms=session_ms, rebalance_ms=rebalance_ms)).alone()
    follower = await make_member(leader, session_ms=session_ms, rebalance_ms=rebalance_ms)
    coming = asyncio.create_task(follower.join())
    await wait_heartbeat(leader, REBALANCE)
    await leader.join()
    await coming
    syncing = asyncio.create_task(follower.sync())
    assert await leader.sync({leader.id: b"left", follower.id: b"right"}) == (OK, b"left")
    assert await syncing == (OK, b"right")
    return leader, follower


async def wait_heartbeat(member: Member, code: int) -> None:
    """Waits until a heartbeat gives this code."""

    async def gives_it() -> bool:
        return await member.heartbeat() == code

    await eventually(gives_it, f"a heartbeat gives {code}")


async def test_a_coordinator_is_found(broker: Broker, make_member: MakeMember) -> None:
    """It is a node that answers, of groups as well as of transactions."""
    member = await make_member()
    response = await broker.ask(FindCoordinatorRequest(member.group, 0))
    assert (response.error_code, f"{response.host}:{response.port}") == (OK, broker.bootstrap)
    assert response.coordinator_id == member.node


async def test_a_member_is_given_an_id_and_joins_with_it(make_member: MakeMember) -> None:
    """The first generation is 1, and who is alone leads."""
    member = await make_member()
    first = await member.join_once()
    assert (first.error_code, first.generation_id, first.leader_id) == (MEMBER_ID_REQUIRED, -1, "")
    assert (first.group_protocol, first.members) == ("", [])
    assert member.id.startswith("tester-")
    second = await member.join_once()
    assert (second.error_code, second.generation_id, second.leader_id) == (OK, 1, member.id)
    assert (second.group_protocol, second.member_id) == ("range", first.member_id)
    assert second.members == [(member.id, None, b"any")]
    assert await member.heartbeat() == OK  # before it has synced
    assert await member.sync({member.id: b"all"}) == (OK, b"all")
    assert await member.sync() == (OK, b"all")  # again


async def test_an_assignment_waits_for_the_leader(make_member: MakeMember) -> None:
    """And is passed on as it is; who gets none gets nothing."""
    leader, follower = await pair(make_member)
    assert leader.generation == follower.generation == 2
    assert await follower.sync() == (OK, b"right")
    assert await leader.sync({follower.id: b"other"}) == (OK, b"left")  # it is stable: this changes nothing
    assert await follower.sync() == (OK, b"right")


async def test_the_leader_alone_gets_the_members(make_member: MakeMember) -> None:
    """With their metadata."""
    leader = await (await make_member()).alone()
    follower = await make_member(leader)
    follower.protocols = {"range": b"mine"}
    coming = asyncio.create_task(follower.join())
    await wait_heartbeat(leader, REBALANCE)
    led, followed = await leader.join(), await coming
    assert led.leader_id == followed.leader_id == leader.id
    assert sorted(led.members) == sorted([(leader.id, None, b"any"), (follower.id, None, b"mine")])
    assert followed.members == []


async def test_a_rebalance_is_told_by_heartbeats(broker: Broker, make_member: MakeMember) -> None:
    """Until it has rejoined a member may commit and not sync; its generation is over when the next begins."""
    tp = TopicPartition(await broker.create_topic(), 0)
    leader = await (await make_member()).alone()
    newcomer = await make_member(leader)
    coming = asyncio.create_task(newcomer.join())
    await wait_heartbeat(leader, REBALANCE)
    assert await leader.commit(tp, 5) == OK
    assert await leader.sync() == (REBALANCE, b"")
    await leader.join()
    await coming
    assert await leader.commit(tp, 6) == REBALANCE  # nothing is assigned in this generation yet
    assert await leader.heartbeat() == OK
    leader.generation -= 1
    assert await leader.heartbeat() == ILLEGAL_GENERATION
    assert await leader.sync() == (ILLEGAL_GENERATION, b"")
    assert await leader.commit(tp, 7) == ILLEGAL_GENERATION
    assert await leader.committed([tp]) == (OK, {tp: 5})


async def test_who_comes_while_others_wait_for_the_leader_begins_anew(make_member: MakeMember) -> None:
    """Those who wait for an assignment are told to join again."""
    leader, follower = await pair(make_member)
    rejoining = asyncio.create_task(leader.join())  # a leader that joins again makes all others do so
    await wait_heartbeat(follower, REBALANCE)
    await follower.join()
    await rejoining
    waiting = asyncio.create_task(follower.sync())
    third = await make_member(leader)
    coming = asyncio.create_task(third.join())
    assert await waiting == (REBALANCE, b"")
    await asyncio.gather(leader.join(), follower.join())
    await coming
    assert leader.generation == follower.generation == third.generation == 4


async def test_who_joins_again_without_news_stays(make_member: MakeMember) -> None:
    """A follower in the generation that is; a leader, or who has other metadata, begins another."""
    leader, follower = await pair(make_member)
    again = await follower.join()
    assert (again.error_code, again.generation_id, again.members) == (OK, 2, [])
    assert await leader.heartbeat() == OK
    follower.protocols = {"range": b"news"}
    coming = asyncio.create_task(follower.join())
    await wait_heartbeat(leader, REBALANCE)
    response = await leader.join()
    await coming
    assert (response.generation_id, follower.generation) == (3, 3)
    lost = await leader.join()  # its answer was lost, it asks for it again
    assert (lost.error_code, lost.generation_id, len(lost.members)) == (OK, 3, 2)


async def test_who_leaves_makes_the_others_join_again(make_member: MakeMember) -> None:
    """If it was the leader, another one leads."""
    leader, follower = await pair(make_member)
    assert await leader.leave() == OK
    assert await leader.heartbeat() == UNKNOWN_MEMBER
    assert await leader.leave() == UNKNOWN_MEMBER
    assert await follower.heartbeat() == REBALANCE
    response = await follower.join()
    assert (response.generation_id, response.leader_id) == (3, follower.id)


async def test_offsets_are_kept_when_all_have_left(broker: Broker, make_member: MakeMember) -> None:
    """Then also those who are no members may commit; generations go on."""
    topic = await broker.create_topic(partitions=2)
    first, second = TopicPartition(topic, 0), TopicPartition(topic, 1)
    member = await (await make_member()).alone()
    stranger = await make_member(member)
    assert await member.commit(first, 5) == OK
    assert await stranger.commit(first, 6) == UNKNOWN_MEMBER
    assert await member.leave() == OK
    assert await stranger.committed([first, second]) == (OK, {first: 5, second: -1})
    assert await stranger.commit(second, 7) == OK
    assert await stranger.committed(None) == (OK, {first: 5, second: 7})
    member.id = ""
    assert (await member.join()).generation_id == 3


async def test_who_is_unknown_is_told_so(broker: Broker, make_member: MakeMember) -> None:
    """In a group that is there, and in one that is not."""
    tp = TopicPartition(await broker.create_topic(), 0)
    member = await (await make_member()).alone()
    for stranger in (await make_member(member), await make_member()):
        stranger.id, stranger.generation = "stranger", 1
        assert (await stranger.join()).error_code == UNKNOWN_MEMBER
        assert await stranger.sync() == (UNKNOWN_MEMBER, b"")
        assert await stranger.heartbeat() == UNKNOWN_MEMBER
        assert await stranger.leave() == UNKNOWN_MEMBER
        code = await stranger.commit(tp, 1)
        assert code == (UNKNOWN_MEMBER if stranger.group == member.group else ILLEGAL_GENERATION)
        assert await stranger.committed([tp]) == (OK, {tp: -1})


async def test_a_request_to_join_that_is_not_in_order(make_member: MakeMember) -> None:
    """A session that is too short, a group without a name, a protocol that the others do not have."""
    hasty = await make_member(session_ms=499)
    assert (await hasty.join()).error_code == INVALID_SESSION
    nameless = await make_member()
    nameless.group = ""
    assert (await nameless.join()).error_code == INVALID_GROUP
    member = await (await make_member()).alone()
    other = await make_member(member)
    other.protocols = {"other": b""}
    assert (await other.join()).error_code == INCONSISTENT_PROTOCOL


async def test_the_protocol_that_most_prefer_is_chosen(make_member: MakeMember) -> None:
    """Of those that all have."""
    leader = await make_member()
    leader.protocols = {"a": b"1", "b": b"2", "c": b"3"}
    assert (await leader.join()).group_protocol == "a"
    others = [await make_member(leader), await make_member(leader)]
    for other in others:
        other.protocols = {"c": b"4", "b": b"5"}
    coming = [asyncio.create_task(other.join()) for other in others]
    await wait_heartbeat(leader, REBALANCE)
    response = await leader.join()
    await asyncio.gather(*coming)
    assert response.group_protocol == "c"
    assert {metadata for _, _, metadata in response.members} == {b"3", b"4"}


async def test_who_is_silent_for_a_session_is_out(broker: Broker, make_member: MakeMember) -> None:
    """The others join again, and whoever wakes is told, whatever it asks."""
    tp = TopicPartition(await broker.create_topic(), 0)
    leader, silent = await pair(make_member, session_ms=1_000)
    await wait_heartbeat(leader, REBALANCE)
    assert len((await leader.join()).members) == 1
    assert await silent.heartbeat() == UNKNOWN_MEMBER
    assert await silent.commit(tp, 1) == UNKNOWN_MEMBER
    assert await silent.sync() == (UNKNOWN_MEMBER, b"")
    assert (await silent.join()).error_code == UNKNOWN_MEMBER


async def test_who_does_not_join_in_time_is_out(make_member: MakeMember) -> None:
    """Even if its session lasts: the rebalance goes on without it."""
    leader, idle = await pair(make_member, rebalance_ms=700)
    joining = asyncio.create_task(leader.join())

    async def has_joined() -> bool:
        await idle.heartbeat()
        return joining.done()

    await eventually(has_joined, "the rebalance goes on")
    response = await joining
    assert [member_id for member_id, _, _ in response.members] == [leader.id]
    assert await idle.heartbeat() == UNKNOWN_MEMBER


async def test_who_does_not_sync_in_time_is_out(make_member: MakeMember) -> None:
    """The others begin another generation."""
    leader, idle = await pair(make_member, rebalance_ms=700)
    joining = asyncio.create_task(leader.join())
    await wait_heartbeat(idle, REBALANCE)
    await idle.join()
    await joining
    assert await leader.sync({leader.id: b"all"}) == (OK, b"all")

    async def is_out() -> bool:
        return await idle.heartbeat() == UNKNOWN_MEMBER

    await eventually(is_out, "who beats and does not sync is out")
    assert await leader.heartbeat() == REBALANCE


async def test_an_id_that_nobody_joins_with_holds_up_a_rebalance(make_member: MakeMember) -> None:
    """Until the session is over that it was given for."""
    leader = await (await make_member()).alone()
    hesitant = await make_member(leader, session_ms=600)
    assert (await hesitant.join_once()).error_code == MEMBER_ID_REQUIRED
    assert (await leader.join()).generation_id == 2
    assert (await hesitant.join_once()).error_code == UNKNOWN_MEMBER


async def test_a_member_that_leaves_while_it_joins(make_member: MakeMember) -> None:
    """Is told that it is out, and the group goes on without it."""
    leader = await (await make_member()).alone()
    newcomer, twin = await make_member(leader), await make_member(leader)
    coming = asyncio.create_task(newcomer.join())
    await wait_heartbeat(leader, REBALANCE)
    twin.id = newcomer.id
    assert await twin.leave() == OK
    assert (await coming).error_code == UNKNOWN_MEMBER
    assert len((await leader.join()).members) == 1


async def test_offsets_of_topics_that_are_not_there(broker: Broker, make_member: MakeMember) -> None:
    """Are not taken, whoever commits; those of a topic that is deleted are gone."""
    tp, nowhere = TopicPartition(await broker.create_topic(), 0), TopicPartition("nowhere", 0)
    member = await make_member()
    assert await member.commit(nowhere, 1) == 3
    assert await member.commit(TopicPartition(tp.topic, 1), 1) == 3
    assert await member.commit(tp, 1) == OK
    assert await member.committed([nowhere, tp]) == (OK, {nowhere: -1, tp: 1})
    await broker.delete_topic(tp.topic)

    async def is_gone() -> bool:
        return await member.committed([tp]) == (OK, {tp: -1})

    await eventually(is_gone, "the offset is gone with its topic")


async def test_consumers_share_partitions_and_take_over(broker: Broker) -> None:
    """Real consumers: one comes, one leaves, and the offset that one has committed is where the next begins."""
    topic = await broker.create_topic(partitions=2)
    options = {
        "bootstrap_servers": broker.bootstrap,
        "group_id": f"group-of-{topic}",
        "heartbeat_interval_ms": 200,
        "auto_offset_reset": "earliest",
        "enable_auto_commit": False,
    }
    first, second = (AIOKafkaConsumer(topic, **options) for _ in range(2))
    both = {TopicPartition(topic, 0), TopicPartition(topic, 1)}
    async with second:
        async with first:
            await eventually(lambda: len(first.assignment()) == len(second.assignment()) == 1, "each has one")
            assert first.assignment() | second.assignment() == both
            [mine] = first.assignment()
            await first.commit({mine: 7})
        await eventually(lambda: second.assignment() == both, "the other has both")
        assert await second.committed(mine) == 7
        assert await second.position(mine) == 7
