"""Nodes of the model die, hang, lag and come back: what is safe stays, and what is not may go."""

import asyncio
from collections.abc import Coroutine
from random import Random
from typing import Any

import pytest

from tests.simulation.kafka.batches import Batch
from tests.simulation.kafka.image import NOBODY, PartitionImage
from tests.simulation.kafka.model import KafkaModel
from tests.simulation.kafka.replica import Replica
from tests.simulation.kafka.test_logs import batch_of
from tests.simulation.loop import SimulatedLoop
from tests.simulation.network import Network

TOPIC = "t"
SESSION_SECONDS = 4.0  # longer than one
MOMENT_SECONDS = 0.5
BATCH: Batch = batch_of((b"k", b"v"))


def simulate(main: Coroutine[Any, Any, None]) -> None:
    """Runs a case in virtual time."""
    loop = SimulatedLoop(Network(Random(1)))
    try:
        loop.run_until_complete(main)
    finally:
        loop.close()


async def make_model(replicas: int) -> KafkaModel:
    """Three nodes, and a topic of one partition that has one record on all its replicas."""
    model = KafkaModel([(f"kafka-{number}", 1) for number in range(3)], Random(1), lambda: 0)
    model.create_topic(TOPIC, 1, replicas)
    await asyncio.sleep(MOMENT_SECONDS)
    append(model)
    await asyncio.sleep(2 * MOMENT_SECONDS)
    assert [replica.high_watermark for replica in replicas_of(model)] == [1] * replicas
    return model


def image_of(model: KafkaModel) -> PartitionImage:
    """What is decided about the partition."""
    return model.controller.image.topics[TOPIC].partitions[0]


def replicas_of(model: KafkaModel) -> list[Replica]:
    """All replicas, by node."""
    return [node.replicas[TOPIC, 0] for node in model.nodes.values() if (TOPIC, 0) in node.replicas]


def leader_of(model: KafkaModel) -> Replica:
    """The replica that leads."""
    leader = model.leader(TOPIC, 0)
    assert leader is not None
    return leader


def append(model: KafkaModel, leader: Replica | None = None) -> None:
    """Appends one record, as Produce does."""
    leader = leader or leader_of(model)
    leader.append(BATCH, None)
    model.replication.followers_fetch(leader)


async def lose_leader(how: str) -> None:
    """A leader dies or hangs, others go on, and it comes back with a record that nobody has."""
    model = await make_model(3)
    old = leader_of(model)
    getattr(model, how)(old.node)
    append(model, old)
    await asyncio.sleep(SESSION_SECONDS)
    new = leader_of(model)
    assert (new.node == old.node, new.image.epoch, old.node in image_of(model).in_sync) == (False, 1, False)
    for _ in range(3):
        append(model)
    await asyncio.sleep(2 * MOMENT_SECONDS)
    assert (new.high_watermark, old.log.end, old.high_watermark) == (4, 2, 1)
    assert model.listening(old.node) == (how == "hang")
    getattr(model, {"kill": "start", "hang": "wake"}[how])(old.node)
    await asyncio.sleep(SESSION_SECONDS)
    assert [replica.high_watermark for replica in replicas_of(model)] == [4] * 3
    assert [[batch.epoch for batch in replica.log.batches] for replica in replicas_of(model)] == [[0, 1, 1, 1]] * 3
    assert set(image_of(model).in_sync) == {1, 2, 3}


@pytest.mark.parametrize("how", ["kill", "hang"])
def test_a_leader_that_is_lost_loses_what_nobody_has_taken(how: str) -> None:
    """Another leads in a new epoch; when the old one is back it is a follower like the others."""
    simulate(lose_leader(how))


def test_a_leader_that_wakes_takes_itself_for_one_at_first() -> None:
    """What it takes then is on no other node, and is not safe."""

    async def main() -> None:
        model = await make_model(3)
        old = leader_of(model)
        model.hang(old.node)
        await asyncio.sleep(SESSION_SECONDS)
        model.wake(old.node)
        assert old.leads
        append(model, old)
        while old.leads:
            assert old.high_watermark == 1
            await asyncio.sleep(0.001)
        await asyncio.sleep(MOMENT_SECONDS)
        assert old.log.end == 1

    simulate(main())


def test_a_node_that_wakes_in_time_was_never_away() -> None:
    """Its partitions stay its own."""

    async def main() -> None:
        model = await make_model(3)
        leader = leader_of(model)
        model.hang(leader.node)
        await asyncio.sleep(2.0)
        model.wake(leader.node)
        await asyncio.sleep(SESSION_SECONDS)
        assert (leader_of(model), leader.image.epoch, len(image_of(model).in_sync)) == (leader, 0, 3)

    simulate(main())


def test_a_partition_of_one_replica_has_no_leader_while_its_node_is_away() -> None:
    """The node is back once its old session has ended, with all that it had."""

    async def main() -> None:
        model = await make_model(1)
        number = leader_of(model).node
        append(model)
        model.kill(number)
        model.start(number)
        await asyncio.sleep(2.0)
        assert not model.listening(number)
        await asyncio.sleep(1.5)
        assert image_of(model).leader == NOBODY
        await asyncio.sleep(SESSION_SECONDS)
        leader = leader_of(model)
        assert (leader.node, leader.image.epoch, leader.high_watermark) == (number, 2, 2)

    simulate(main())


def test_a_new_leader_does_not_know_at_first_what_is_safe() -> None:
    """It has all of it, and says that it does not know where the end is (KIP-207)."""

    async def main() -> None:
        model = await make_model(3)
        old = leader_of(model)
        append(model)
        changed = asyncio.Event()
        old.watchers[changed.set] = None
        await changed.wait()
        assert old.high_watermark == 2
        followers = [number for number in (1, 2, 3) if number != old.node]
        for number in followers:
            model.hold_replication(number)
        model.move_leader(TOPIC, 0, followers[0])
        await asyncio.sleep(MOMENT_SECONDS)
        new = leader_of(model)
        assert (new.node, new.log.end, new.high_watermark, new.knows_its_end) == (followers[0], 2, 1, False)
        for number in followers:
            model.release_replication(number)
        await asyncio.sleep(MOMENT_SECONDS)
        assert (new.high_watermark, new.knows_its_end) == (2, True)

    simulate(main())


def test_a_follower_that_lags_holds_back_what_is_safe_until_it_is_no_longer_in_sync() -> None:
    """And is in sync again when it has caught up."""

    async def main() -> None:
        model = await make_model(3)
        leader = leader_of(model)
        lagging = next(number for number in (1, 2, 3) if number != leader.node)
        model.hold_replication(lagging)
        append(model)
        await asyncio.sleep(10)
        assert leader.high_watermark == 1
        await asyncio.sleep(30)
        assert (leader.high_watermark, lagging in image_of(model).in_sync) == (2, False)
        model.release_replication(lagging)
        await asyncio.sleep(MOMENT_SECONDS)
        assert lagging in image_of(model).in_sync

    simulate(main())


def test_nothing_is_safe_on_one_node_of_three() -> None:
    """A record must be on two at least."""

    async def main() -> None:
        model = await make_model(3)
        leader = leader_of(model)
        others = [number for number in (1, 2, 3) if number != leader.node]
        for number in others:
            model.kill(number)
        await asyncio.sleep(SESSION_SECONDS)
        append(model)
        await asyncio.sleep(MOMENT_SECONDS)
        assert (leader.high_watermark, leader.has_enough_in_sync) == (1, False)
        model.start(others[0])
        await asyncio.sleep(SESSION_SECONDS)
        assert (leader.high_watermark, leader.has_enough_in_sync) == (2, True)

    simulate(main())
