"""What an operator does meanwhile: a rebuild, which may be killed, and `verify --repair`."""

import asyncio
from argparse import Namespace
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

from aiokafka.errors import KafkaError

from consumers.commands import verify
from consumers.rebuild.losses import JobsWouldBeLostError
from consumers.rebuild.run import discard
from consumers.rebuild.run import rebuild as run_rebuild
from service.store.errors import FencedError, StoreUnavailableError
from service.store.generations import GenerationError
from tests.simulation.life.processes import Command
from tests.simulation.life.registry import fault
from tests.simulation.life.terminal import QuietTerminal
from tests.simulation.life.world import World

_FAILURES = (
    StoreUnavailableError,
    KafkaError,
    FencedError,
    GenerationError,
    JobsWouldBeLostError,
)  # what may end a command
_PATIENCE_SECONDS = 30.0


@contextmanager
def _no_progress(_total: int) -> Iterator[Callable[[int], None]]:
    yield lambda _: None


async def _may_fail(world: World, name: str, work: Coroutine[Any, Any, Any]) -> None:
    """Does a command's work; notes under this name if an error that may end it has."""
    try:
        await work
    except _FAILURES:
        world.in_vain.append(name)


async def ended(world: World, command: Command) -> None:
    """Waits for a command, which must leave no task; kills it if it takes too long: what it needs may be broken."""
    await asyncio.wait([command.task], timeout=_PATIENCE_SECONDS)
    if command.task.done():
        command.task.result()
        left = world.loop.tasks_of(command.process)
        assert not left, (command.process.name, left)
    else:
        command.process.kill()


def _rebuild(world: World, name: str) -> Command:
    return Command("rebuild", _may_fail(world, name, run_rebuild(world.settings, False, _no_progress)))


@fault
async def rebuild(world: World, _: Random) -> AsyncIterator[None]:
    """An operator rebuilds everything."""
    command = _rebuild(world, "rebuild")
    yield
    await ended(world, command)


@fault
async def rebuild_killed(world: World, rnd: Random) -> AsyncIterator[None]:
    """A rebuild is killed; in the end it is run again, or discarded, or left as it is."""
    command = _rebuild(world, "the rebuild before a kill")
    yield
    command.process.kill()
    match rnd.randrange(3):
        case 0:
            await ended(world, _rebuild(world, "the rebuild after a kill"))
        case 1:
            await ended(
                world, Command("discard", _may_fail(world, "the discard after a kill", discard(world.settings)))
            )
        case _:
            pass


@fault
async def verify_and_repair(world: World, _: Random) -> AsyncIterator[None]:
    """An operator runs `verify --repair`."""
    terminal = QuietTerminal()
    arguments = Namespace(project=None, repair=True)
    work = verify.run(world.settings, arguments, terminal)
    command = Command("verify", _may_fail(world, "verify_and_repair", work))
    yield
    await ended(world, command)
    world.drifts += terminal.document.get("drifts", ())


async def give_up_rebuild(world: World) -> None:
    """Ends a rebuild that was killed: throws away what it has left, or goes on where some stripes have swapped."""
    try:
        await discard(world.settings)
    except GenerationError:
        await run_rebuild(world.settings, accept_gaps=False, show_progress=_no_progress)
