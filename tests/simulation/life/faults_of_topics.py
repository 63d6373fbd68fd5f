"""The topic changes: partitions come, records are deleted or compacted, the topic is deleted and made anew."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from random import Random

import aiohttp

from deploy.local.waiting import eventually
from tests.chaos.load import GROWING, MOVING
from tests.end_to_end.publisher import now_ms
from tests.end_to_end.traffic import PARTITIONS, PROJECTS
from tests.simulation.life.registry import fault
from tests.simulation.life.superseded import superseded
from tests.simulation.life.world import TOPIC, World

_PATIENCE_SECONDS = 20.0
_POLL_SECONDS = 0.2
_MOST_ADDED = 3
_CLOSE_LOOKS, _CLOSE_SECONDS = 8, 0.02


@fault
async def partition_added(world: World, _rnd: Random) -> AsyncIterator[None]:
    """The topic gets some partitions, to each of which the platform writes, too, at once and from then on."""
    for _ in range(_MOST_ADDED):
        if _has_nodes(world):
            world.kafka.add_partitions(TOPIC, 1)
            world.platform.partitions += 1
            await _look_closely(world)
    yield


async def _look_closely(world: World) -> None:
    """Publishes and asks often for a moment, in which consumers may not know the new partition."""
    for _ in range(_CLOSE_LOOKS):
        await world.load.piece()
        with suppress(aiohttp.ClientConnectionError, aiohttp.ServerTimeoutError):
            await world.reader.ask_growing()
        await asyncio.sleep(_CLOSE_SECONDS)


def _has_nodes(world: World) -> bool:
    """Returns whether there are enough nodes for all replicas of a partition."""
    return len(world.kafka.controller.image.alive) == world.plan.nodes


@fault
async def topic_compacted(world: World, _: Random) -> AsyncIterator[None]:
    """Records that later ones make superfluous are compacted away, at the beginning and in the end."""
    _compact(world)
    yield
    _compact(world)


def _compact(world: World) -> None:
    for partition in world.archive.partitions:
        with suppress(LookupError):
            world.archive.take(partition)
            gone = superseded(world.kafka.records(TOPIC, partition), world.known_events())
            world.kafka.compact(TOPIC, partition, may_drop=gone.__contains__)


@fault
async def applied_records_deleted(world: World, rnd: Random) -> AsyncIterator[None]:
    """Of what has been applied by the end some is deleted from the topic."""
    ends, at_ms = _ends(world), now_ms()
    yield
    if await _is_applied(world, at_ms, _PATIENCE_SECONDS):
        for partition, end in ends.items():
            _drop(world, partition, rnd.randrange(end + 1))


@fault
async def retention_overtakes(world: World, rnd: Random) -> AsyncIterator[None]:
    """Consumers hang, and by the end the topic has lost some records that they have not read."""
    processes = [each.process for each in world.launched if not each.process.is_dead]
    for process in processes:
        process.hang()
    yield
    for partition, end in _ends(world).items():
        if rnd.random() < 0.5:
            _drop(world, partition, rnd.randrange(end + 1))
    for process in processes:
        process.wake()


def _ends(world: World) -> Mapping[int, int]:
    """Returns where what is safe ends in each partition that has a leader."""
    ends = {}
    for partition in world.archive.partitions:
        with suppress(LookupError):
            ends[partition] = world.kafka.stable_end(TOPIC, partition)
    return ends


def _is_longer(world: World, ends: Mapping[int, int]) -> bool:
    now = _ends(world)
    return all(now.get(partition, 0) > end for partition, end in ends.items())


def _drop(world: World, partition: int, before: int) -> None:
    with suppress(LookupError):
        world.archive.drop(partition, before)


async def _is_applied(world: World, instant_ms: int, patience_seconds: float) -> bool:
    """Returns whether answers of all projects say within some time that they have all from before an instant."""
    waiting = [*PROJECTS, GROWING, MOVING]
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_seconds):
            while waiting:
                with suppress(aiohttp.ClientConnectionError, aiohttp.ServerTimeoutError):
                    status, headers, _ = await world.asking.get((waiting[-1], None, None, None))
                    if status == 200 and int(headers["X-Statistics-As-Of"]) > instant_ms:
                        waiting.pop()
                        continue
                await asyncio.sleep(_POLL_SECONDS)
    return not waiting


@fault
async def topic_made_anew(world: World, _: Random) -> AsyncIterator[None]:
    """When everything has been applied the topic is deleted, and made anew without the partitions that came later."""
    async with world.platform.idle:
        if await _is_applied(world, now_ms(), _PATIENCE_SECONDS):
            await _make_anew(world)
    yield


@fault
async def topic_made_anew_unseen(world: World, rnd: Random) -> AsyncIterator[None]:
    """The topic is made anew while all consumers hang, which go on in the end; it may be longer by then."""
    async with world.platform.idle:
        processes, ends = [], _ends(world) if rnd.random() < 0.5 else {}
        if await _is_applied(world, now_ms(), _PATIENCE_SECONDS):
            processes = [each.process for each in world.launched if not each.process.is_dead]
            for process in processes:
                process.hang()
            await _make_anew(world)
    yield
    if processes:
        with suppress(AssertionError):
            await eventually(lambda: _is_longer(world, ends), "the topic is longer", within_seconds=_PATIENCE_SECONDS)
    for process in processes:
        process.wake()


async def _make_anew(world: World) -> None:
    await eventually(lambda: world.archive.is_whole() and _has_nodes(world), "the topic is whole")
    world.kafka.delete_topic(TOPIC)
    world.archive.made_anew()
    await asyncio.sleep(_POLL_SECONDS)
    world.platform.partitions = PARTITIONS
    world.create_topic()
