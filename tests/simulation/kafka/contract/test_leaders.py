"""Nodes that die: what was acknowledged stays, others lead, and coordinators go on from what is stored."""

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from deploy.local.waiting import eventually
from tests.simulation.kafka.contract.broker import COMMITTED, LATEST, batch_of
from tests.simulation.kafka.contract.cluster import Cluster
from tests.simulation.kafka.contract.member import (
    MEMBER_ID_REQUIRED,
    NOT_COORDINATOR,
    OK,
    REBALANCE,
    UNKNOWN_MEMBER,
    member_of,
)

OUT_OF_RANGE, NOT_LEADER, TIMED_OUT, LOADING, NOT_ENOUGH_REPLICAS = 1, 6, 7, 14, 19


async def test_a_leader_that_dies_takes_nothing_with_it(cluster: Cluster) -> None:
    """Records that were acknowledged, open transactions and the markers of ended ones: another leader has them all."""
    tp = TopicPartition(await cluster.broker.create_topic(replicas=3), 0)
    async with (
        cluster.broker.producer(transactional_id=f"id-of-{tp.topic}") as open_one,
        cluster.broker.producer(enable_idempotence=True, linger_ms=1) as producer,
    ):
        await open_one.begin_transaction()
        await open_one.send_and_wait(tp.topic, b"lost", partition=0)
        await open_one.abort_transaction()
        await open_one.begin_transaction()
        await open_one.send_and_wait(tp.topic, b"open", partition=0)
        leader = await cluster.leader(tp)
        sending = [await producer.send(tp.topic, b"%d" % number, partition=0) for number in range(50)]
        await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
        await cluster.nodes.kill(leader)
        sending += [await producer.send(tp.topic, b"%d" % number, partition=0) for number in range(50, 100)]
        offsets = [(await each).offset for each in sending]
        await cluster.wait_leader(tp, leader)
        before = await cluster.fetch(tp, COMMITTED)
        assert (before.stable, before.offsets, [first for _, first in before.aborted]) == (2, [0], [0])
        await open_one.commit_transaction()
    assert offsets == list(range(3, 103))

    async def has_ended() -> bool:
        return (await cluster.fetch(tp)).stable == 104

    await eventually(has_ended, "the transaction has its marker")
    fetched = await cluster.fetch(tp, COMMITTED)
    assert [each.value for each in fetched.records] == [b"lost", b"open", *(b"%d" % number for number in range(100))]
    assert [first for _, first in fetched.aborted] == [0]
    assert (await cluster.describe(tp))["isr"] == [
        each for each in (await cluster.describe(tp))["replicas"] if each != leader
    ]
    await cluster.nodes.start(leader)
    await cluster.wait_in_sync(tp, 3)
    assert (await cluster.fetch(tp)).data == fetched.data


async def test_followers_give_records_and_no_more(cluster: Cluster) -> None:
    """Those that they know to be safe; a node that has no replica gives nothing. Without followers nothing is taken."""
    topic = await cluster.broker.create_topic(replicas=2, min_insync_replicas="2")
    tp = TopicPartition(topic, 0)
    described = await cluster.describe(tp)
    leader = described["leader"]
    [follower] = [each for each in described["replicas"] if each != leader]
    [other] = {1, 2, 3} - {leader, follower}
    assert (await cluster.broker.append(tp, batch_of([b"a"]), node=leader))[:2] == (OK, 0)
    for node in (follower, other):
        assert (await cluster.broker.append(tp, batch_of([b"b"]), node=node))[0] == NOT_LEADER
        assert (await cluster.broker.offset(tp, LATEST, node=node))[0] == NOT_LEADER
    assert (await cluster.fetch(tp, node=other)).code == NOT_LEADER
    for node, code in ((leader, OK), (follower, NOT_LEADER), (other, NOT_LEADER)):
        [fetched] = await cluster.broker.fetch({tp: 0}, node=node, is_for_leaders=True)
        assert fetched.code == code

    async def has_followed() -> bool:
        fetched = await cluster.fetch(tp, node=follower)
        assert (fetched.code, fetched.highwater == 1, fetched.offsets == [0]) in {(OK, True, True), (OK, False, False)}
        return fetched.highwater == 1

    await eventually(has_followed, "the follower knows that the record is safe")
    async with asyncio.timeout(20):
        waiting = asyncio.create_task(cluster.broker.fetch({tp: 1}, wait_ms=60_000, node=follower))
        assert (await cluster.broker.append(tp, batch_of([b"c"]), node=leader))[:2] == (OK, 1)
        [fetched] = await waiting
    assert (fetched.highwater, fetched.offsets) == (2, [1])
    [fetched] = await cluster.broker.fetch({tp: 3}, node=follower)
    assert fetched.code == OUT_OF_RANGE
    await cluster.nodes.kill(follower)
    await cluster.wait_in_sync(tp, 1)
    taken = 0
    while (code := (await cluster.broker.append(tp, batch_of([b"d"]), node=leader))[0]) != NOT_ENOUGH_REPLICAS:
        assert code == TIMED_OUT  # Apache Kafka's metadata were ahead of the partition, which took this record
        taken += 1
    fetched = await cluster.fetch(tp)
    assert (fetched.highwater, fetched.offsets) == (2, [0, 1])
    await cluster.nodes.start(follower)
    await cluster.wait_in_sync(tp, 2)
    assert (await cluster.broker.append(tp, batch_of([b"e"]), node=leader))[:2] == (OK, 2 + taken)


async def test_a_leader_that_hung_drops_what_it_took_too_late(cluster: Cluster) -> None:
    """What was sent to it is refused when it wakes, and its log becomes that of the leader that came after it."""
    tp = TopicPartition(await cluster.broker.create_topic(replicas=3), 0)
    leader = await cluster.leader(tp)
    assert (await cluster.broker.append(tp, batch_of([b"a"]), node=leader))[:2] == (OK, 0)
    cluster.nodes.hang(leader)
    late = asyncio.create_task(cluster.broker.append(tp, batch_of([b"late"] * 5), node=leader))
    try:
        next_leader = await cluster.wait_leader(tp, leader)
        assert (await cluster.broker.append(tp, batch_of([b"b"]), node=next_leader))[:2] == (OK, 1)
        assert not late.done()
    finally:
        cluster.nodes.wake(leader)
    assert (await late)[0] in {NOT_LEADER, TIMED_OUT}  # whichever it notices first when it wakes

    async def has_followed() -> bool:
        fetched = await cluster.fetch(tp, node=leader)
        values = [each.value for each in fetched.records]
        assert (fetched.code, values == [b"a", b"b"][: len(values)]) == (OK, True)
        return fetched.highwater == 2

    await eventually(has_followed, "it has all that was acknowledged")
    assert (await cluster.fetch(tp, node=leader)).data == (await cluster.fetch(tp, node=next_leader)).data
    await cluster.wait_in_sync(tp, 3)


async def test_a_coordinator_that_dies_leaves_groups_as_they_were_stable(cluster: Cluster) -> None:
    """Another node has the members and offsets; who was about to join is unknown, and no rebalance is under way."""
    tp = TopicPartition(await cluster.broker.create_topic(replicas=3), 0)
    async with (
        member_of(cluster.broker.bootstrap) as member,
        member_of(cluster.broker.bootstrap, member.group) as other,
    ):
        await member.alone()
        assert await member.commit(tp, 7) == OK
        coordinator = member.node
        for member.node in {1, 2, 3} - {coordinator}:
            assert await member.heartbeat() == NOT_COORDINATOR
            assert await member.commit(tp, 8) == NOT_COORDINATOR
            assert await member.committed([tp]) == (NOT_COORDINATOR, {})
            assert (await member.join()).error_code == NOT_COORDINATOR
            assert await member.sync() == (NOT_COORDINATOR, b"")
        member.node = coordinator
        assert (await other.join_once()).error_code == MEMBER_ID_REQUIRED
        joining = asyncio.create_task(other.join_once())

        async def must_rejoin() -> bool:
            return await member.heartbeat() == REBALANCE

        await eventually(must_rejoin, "the other one is about to join")
        await cluster.nodes.kill(coordinator)
        with pytest.raises(KafkaConnectionError):
            await joining

        async def has_moved() -> bool:
            await member.find()
            if member.node == coordinator:
                return False  # who was asked does not know yet
            code, offsets = await member.committed([tp])
            assert code in {OK, NOT_COORDINATOR, LOADING}
            assert code == NOT_COORDINATOR or await member.heartbeat() == OK  # while it loads it says so to anybody
            return code == OK and offsets == {tp: 7}

        await eventually(has_moved, "another node coordinates the group")
        assert await member.heartbeat() == OK
        assert await member.sync() == (OK, b"all")
        assert await member.commit(tp, 9) == OK
        await other.find()
        assert (await other.join()).error_code == UNKNOWN_MEMBER
