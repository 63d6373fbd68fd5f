"""An operator sends dead letters back that are events by now."""

import asyncio
from argparse import Namespace
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from random import Random

from aiokafka.errors import KafkaError

from consumers.commands import replay_dead_letters
from consumers.dead_letters.letter import DeadLetter
from consumers.dead_letters.queue import DeadLetterQueue, WrittenLetters, create_producer
from consumers.dead_letters.replay import REPLAYED_HEADER
from consumers.kafka.stopping import stop_client
from tests.end_to_end.publisher import now_ms
from tests.end_to_end.traffic import Record, life, make_record
from tests.simulation.life.operations import ended
from tests.simulation.life.processes import Command
from tests.simulation.life.registry import fault
from tests.simulation.life.terminal import QuietTerminal
from tests.simulation.life.world import LETTERS, TOPIC, World

_NEVER_REACHED = 10**9  # an offset
_KILLED = 0.3
_ALL_LETTERS = Namespace(reason=[], since=0, until=None, again=False, dry_run=False)
_WRITING_SECONDS = 10.0


@fault
async def letters_replayed(world: World, rnd: Random) -> AsyncIterator[None]:
    """Letters of events that an earlier version refused are sent back; the command may be killed in the end."""
    records = world.adapted(make_record(rnd, event) for _ in range(rnd.randint(1, 5)) for event in life(rnd, -1))
    letters = list(_letters(records, rnd))
    world.letters_made |= {(each.partition, each.offset) for each in letters}
    returning = [_returning(record, each) for record, each in zip(records, letters, strict=True)]
    world.uncertain += returning
    are_written = await _write(world, letters)
    if are_written:
        world.letters_written += returning
    command = Command("replay", _replay(world, list(world.letters_written)))
    yield
    if rnd.random() < _KILLED:
        command.process.kill()
    else:
        await ended(world, command)


def _letters(records: Sequence[Record], rnd: Random) -> Iterator[DeadLetter]:
    first = _NEVER_REACHED + rnd.randrange(_NEVER_REACHED)
    for offset, record in enumerate(records, first):
        where = TOPIC, record.partition, offset
        yield DeadLetter(*where, now_ms(), record.key, record.value, record.headers, "refused", "by an earlier version")


def _returning(record: Record, letter: DeadLetter) -> Record:
    """Returns the record that a letter becomes which is sent back."""
    origin = f"{letter.topic}/{letter.partition}/{letter.offset}".encode()
    return replace(record, headers=(*record.headers, (REPLAYED_HEADER, origin)))


async def _write(world: World, letters: Sequence[DeadLetter]) -> bool:
    """Writes letters; returns whether that is certain."""
    producer = create_producer(world.settings.kafka_bootstrap_servers)
    try:
        async with asyncio.timeout(_WRITING_SECONDS):
            await producer.start()
            await DeadLetterQueue(producer, LETTERS, WrittenLetters()).send(letters)
            return True
    except (KafkaError, TimeoutError):
        return False
    finally:
        await stop_client(producer)


async def _replay(world: World, returning: Sequence[Record]) -> None:
    """Runs the command. Where it ends well, these records are in the topic, sent by it or by one before."""
    await asyncio.sleep(0.01)  # of the letters it takes those that were written before it began
    try:
        await replay_dead_letters.run(world.settings, _ALL_LETTERS, QuietTerminal())
    except KafkaError:
        world.in_vain.append("letters_replayed")
        return
    world.returned += returning
