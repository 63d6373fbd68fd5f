"""What must hold in the end: answers, dead letters, the store's own order, and that nothing is left behind."""

from argparse import Namespace
from random import Random

from consumers.commands import verify
from tests.chaos.load import GROWING, MOVING
from tests.end_to_end.checks import assert_answers, assert_dead_letters
from tests.end_to_end.publisher import read_topic
from tests.end_to_end.traffic import PARTITIONS
from tests.oracle import Oracle
from tests.simulation.life.terminal import QuietTerminal
from tests.simulation.life.world import TOPIC, World

_QUESTIONS = 60


async def settle(world: World) -> None:
    """Finds out which transactions without an answer were committed; each is in the topic wholly, or not at all."""
    if not any(world.uncertain):
        return
    stored = await read_topic(world.settings.kafka_bootstrap_servers, TOPIC, PARTITIONS, len(world.load.records))
    values = {(each.key, each.value) for each in stored}
    for records in world.uncertain:
        there = [(each.key, each.value) in values for each in records]
        assert all(there) or not any(there)
        if all(there):
            world.load.published_elsewhere(records)


async def check_answers(world: World) -> None:
    """Every answer is what a recount of all that was published gives, once as-of says that it must be."""
    records, acknowledged_ms = world.load.records, world.load.acknowledged_ms
    oracle = Oracle([record.event for record in records if record.event is not None])
    for project in (GROWING, MOVING):
        body = await world.asking.ask_as_of((project, None, None, None), acknowledged_ms)
        assert body == oracle.answer(project), project
    await assert_answers(world.asking, records, acknowledged_ms, Random(world.plan.seed), _QUESTIONS)


async def check_store(world: World) -> None:
    """`verify` finds no drift, and no gap."""
    terminal = QuietTerminal()
    status = await verify.run(world.settings, Namespace(project=None, repair=False), terminal)
    assert (status, terminal.document["drifts"], terminal.document["gaps"]) == (0, [], []), terminal.document


async def check_dead_letters(world: World) -> None:
    """The dead letters are exactly the records that are no events.

    A consumer sends a letter once, and again if its acknowledgement was lost: each fault may cost one more.
    """
    at_most = len(world.launched) + len(world.plan.breakages)
    may_repeat = not world.plan.is_idempotent
    bootstrap = world.settings.kafka_bootstrap_servers
    await assert_dead_letters(bootstrap, TOPIC, world.load.records, at_most, may_repeat)


def check_tasks(world: World) -> None:
    """No process that has ended has left a task behind."""
    processes = [each.process for each in world.launched] + [each.process for each in world.services]
    for process in processes:
        if not process.is_dead:
            assert world.loop.tasks_of(process) == [], process.name
