"""Lives one life: everything starts, breaks as planned while every answer is checked, and is compared in the end."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random

from deploy.local.waiting import eventually
from tests.chaos.load import MOVING
from tests.simulation.life import (
    checks,
    faults_of_kafka,
    faults_of_processes,
    faults_of_redis,
    faults_of_topics,
    operations,
    replaying,
)
from tests.simulation.life.disorder import Disorder
from tests.simulation.life.plan import Breakage, Plan
from tests.simulation.life.redises import Redises
from tests.simulation.life.registry import FAULTS
from tests.simulation.life.world import World, living
from tests.simulation.network import Network

_REGISTERING = (
    faults_of_kafka,
    faults_of_processes,
    faults_of_redis,
    faults_of_topics,
    operations,
    replaying,
)  # whose faults FAULTS has
_START_SECONDS = 0.5
_MORE_RECORDS, _MORE_ANSWERS = 300, 8  # after everything has been put right; more than that are usual


@dataclass(frozen=True, slots=True)
class Lived:
    """Says what there was in a life that ended well."""

    records: int
    answers: int
    refusals: int
    in_vain: list[str]


async def live(plan: Plan, redis: Redises, network: Network) -> Lived:
    """Runs the life of a plan. Raises AssertionError, or whatever a process of the service has raised."""
    disorder = Disorder()
    async with living(plan, redis, network) as world:
        world.service = world.launch_service()
        world.consumers = [world.launch_consumer() for _ in range(plan.consumers)]
        await world.load.begin()
        if plan.begins_calmly:
            await world.api_listens()
            await world.asking.ask_as_of((MOVING, None, None, None), world.load.acknowledged_ms)
        async with world.flowing():
            await asyncio.sleep(_START_SECONDS)
            async with asyncio.TaskGroup() as group:
                for lane in plan.lanes.values():
                    group.create_task(_break(world, lane))
            answers = world.reader.answers
            await world.load.more(_MORE_RECORDS)
            await eventually(lambda: world.reader.answers >= answers + _MORE_ANSWERS, "the API answers", 60)
        await operations.give_up_rebuild(world)
        await world.api_listens()
        await checks.settle(world)
        await checks.check_answers(world)
        await checks.check_store(world)
        await checks.check_dead_letters(world)
        disorder.check(plan, world.drifts)
        await _end(world)
        checks.check_tasks(world)
        return Lived(len(world.load.records), world.reader.answers, world.reader.refusals, world.in_vain)


async def _break(world: World, lane: tuple[Breakage, ...]) -> None:
    began = world.loop.time()
    for each in lane:
        await asyncio.sleep(max(0.0, began + each.begins_seconds - world.loop.time()))
        async with FAULTS[each.fault](world, Random(each.seed)):
            await asyncio.sleep(each.lasts_seconds)


async def _end(world: World) -> None:
    """Stops all processes in order."""
    for consumer in world.consumers:
        consumer.stop()
    async with AsyncExitStack() as stack:
        for consumer in world.consumers:
            stack.push_async_callback(consumer.stopped)
        if world.service is not None:
            stack.push_async_callback(world.service.stop)
