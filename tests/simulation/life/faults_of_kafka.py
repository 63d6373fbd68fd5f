"""Kafka's nodes are killed, hang, are slow and cut off; transactions stay open; batches cannot be read."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from random import Random

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from consumers.kafka.stopping import stop_client
from tests.end_to_end.publisher import now_ms
from tests.end_to_end.traffic import PARTITIONS, Record, life, make_record
from tests.simulation.kafka.damage import Flaw
from tests.simulation.kafka.replica import Replica
from tests.simulation.life.registry import fault
from tests.simulation.life.world import LETTERS, TOPIC, World
from tests.simulation.network import Link

_SLOW_SECONDS = (0.02, 0.3, 2.0)
_END_SECONDS = 30.0
_PATIENCE_SECONDS = 2.0
_MOST_LOST = 30  # replies


def _any_node(world: World, rnd: Random) -> int:
    return rnd.randrange(1, world.plan.nodes + 1)


def _link(world: World, node: int) -> Link:
    """Returns how clients reach a node, whose number begins with 1."""
    return world.network.links[f"kafka-{node - 1}", 9092]


def _any_link(world: World, rnd: Random) -> Link:
    return _link(world, _any_node(world, rnd))


@fault
async def kafka_killed(world: World, rnd: Random) -> AsyncIterator[None]:
    """A node is killed, and started again on its data."""
    node = _any_node(world, rnd)
    world.kafka.kill(node)
    yield
    world.kafka.start(node)


@fault
async def kafka_hangs(world: World, rnd: Random) -> AsyncIterator[None]:
    """A node does nothing, and goes on in the end; others may lead its partitions by then."""
    node = _any_node(world, rnd)
    world.kafka.hang(node)
    yield
    world.kafka.wake(node)


@fault
async def kafka_slow(world: World, rnd: Random) -> AsyncIterator[None]:
    """Everything to and from a node comes late."""
    link = _any_link(world, rnd)
    link.extra_seconds = rnd.choice(_SLOW_SECONDS)
    yield
    link.extra_seconds = 0.0


@fault
async def kafka_cut_off(world: World, rnd: Random) -> AsyncIterator[None]:
    """Clients cannot reach a node, while the other nodes can."""
    link = _any_link(world, rnd)
    link.cut()
    yield
    link.mend()


@fault
async def kafka_disconnects(world: World, rnd: Random) -> AsyncIterator[None]:
    """All connections to a node end, at the beginning and in the end; replies under way are lost."""
    link = _any_link(world, rnd)
    link.drop_connections()
    yield
    link.drop_connections()


@fault
async def kafka_loses_replies(world: World, rnd: Random) -> AsyncIterator[None]:
    """A node does what it is asked, and its replies are lost."""
    link = _any_link(world, rnd)
    link.lost_replies = rnd.randrange(1, _MOST_LOST)
    yield
    link.lost_replies = 0


@fault
async def replication_lags(world: World, rnd: Random) -> AsyncIterator[None]:
    """A node takes no records from the others; what is not replicated is not acknowledged."""
    node = _any_node(world, rnd)
    world.kafka.hold_replication(node)
    yield
    world.kafka.release_replication(node)


@fault
async def leader_moves(world: World, rnd: Random) -> AsyncIterator[None]:
    """Partitions get other leaders, at the beginning and in the end."""
    moved = _move_leaders(world, rnd)
    yield
    if not moved + _move_leaders(world, rnd):
        world.in_vain.append("leader_moves")


def _move_leaders(world: World, rnd: Random) -> int:
    """Returns how many partitions have got a leader that was none."""
    topic = world.kafka.controller.image.topics.get(TOPIC)  # None: it is being made anew
    return sum(
        _move_leader(world, number, _any_node(world, rnd)) for number in range(len(topic.partitions) if topic else 0)
    )


def _move_leader(world: World, number: int, node: int) -> bool:
    """Makes a node the leader of a partition, if there is one and the node may be; returns whether that is news."""
    image = world.kafka.controller.image
    topic = image.topics.get(TOPIC)
    if topic is None or node not in topic.partitions[number].in_sync or node not in image.alive:
        return False
    is_news = topic.partitions[number].leader != node
    world.kafka.move_leader(TOPIC, number, node)
    return is_news


@fault
async def leader_unsure(world: World, rnd: Random) -> AsyncIterator[None]:
    """A partition gets another leader right after the last one has acknowledged records that no consumer has got.

    The new leader does not know yet that they are safe, and does not learn it before the end.
    """
    number = rnd.randrange(PARTITIONS)
    old = world.kafka.leader(TOPIC, number)
    if old is None or len(old.image.in_sync) == 1 or not await _acknowledges(old):
        world.in_vain.append("leader_unsure")
        yield
        return
    others = [node for node in old.image.in_sync if node != old.node]
    for node in others:
        world.kafka.hold_replication(node)
    _link(world, old.node).drop_connections(lambda process: process is not None)
    new = rnd.choice(others)
    _move_leader(world, number, new)
    yield
    for node in others:
        world.kafka.release_replication(node)


async def _acknowledges(leader: Replica) -> bool:
    """Returns at the instant at which more records of a leader are safe; False if none are for long."""
    more = asyncio.Event()
    leader.watchers[more.set] = None
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await more.wait()
    except TimeoutError:
        return False
    finally:
        del leader.watchers[more.set]
    return leader.leads


@fault
async def letters_refused(world: World, _: Random) -> AsyncIterator[None]:
    """The topic of dead letters takes none: each is too large for it."""
    usual = world.kafka.controller.image.topics[LETTERS].configs
    _set_configs(world, {**usual, "max.message.bytes": "100"})
    yield
    _set_configs(world, usual)


def _set_configs(world: World, configs: Mapping[str, str]) -> None:
    controller = world.kafka.controller
    controller.put_topic(replace(controller.image.topics[LETTERS], configs=configs))


@fault
async def batch_unreadable(world: World, rnd: Random) -> AsyncIterator[None]:
    """The newest batch of a partition is damaged on the brokers' disks, and mended in the end."""
    partition, flaw = rnd.randrange(PARTITIONS), rnd.choice(list(Flaw))
    leader = world.kafka.leader(TOPIC, partition)
    if leader is None or not leader.log.batches:
        world.in_vain.append("batch_unreadable")
        yield
        return
    mend = world.kafka.corrupt(TOPIC, partition, leader.log.batches[-1].base, flaw)
    yield
    mend()


@fault
async def transaction_open(world: World, rnd: Random) -> AsyncIterator[None]:
    """A transaction holds back all that comes after it in some partitions; it is committed in the end, or aborted.

    Where Kafka does not answer meanwhile, the transaction ends when its coordinator gives it up.
    """
    commits = rnd.random() < 0.5
    records = world.adapted(make_record(rnd, event) for _ in range(rnd.randint(1, 20)) for event in life(rnd, -1))
    world.uncertain += records
    producer = AIOKafkaProducer(
        bootstrap_servers=world.settings.kafka_bootstrap_servers,
        transactional_id=f"transaction {rnd.random()}",
        transaction_timeout_ms=10_000,
        request_timeout_ms=3_000,
    )
    try:
        await producer.start()
        await producer.begin_transaction()
        for record in records:
            # by the virtual clock: aiokafka's builder of batches, which is compiled, would take the real one
            await producer.send(TOPIC, record.value, record.key, record.partition, timestamp_ms=now_ms())
        await producer.flush()
    except KafkaError:
        yield
    else:
        yield
        await _end_transaction(world, producer, records if commits else [])
    finally:
        await stop_client(producer)


async def _end_transaction(world: World, producer: AIOKafkaProducer, records: list[Record]) -> None:
    """Commits a transaction of these records, or aborts it if there are none."""
    try:
        async with asyncio.timeout(_END_SECONDS):
            if records:
                await producer.commit_transaction()
            else:
                await producer.abort_transaction()
    except (KafkaError, TimeoutError):
        pass  # it may be committed all the same
    else:
        world.load.published_elsewhere(records)
