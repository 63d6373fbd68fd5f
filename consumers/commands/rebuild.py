"""Implements `rebuild`: reads the topic from its beginning into a new generation, and makes it the live one."""

from argparse import ArgumentParser, Namespace
from functools import partial

from consumers.commands.terminal import Terminal
from consumers.rebuild.losses import JobsWouldBeLostError
from consumers.rebuild.run import discard, rebuild
from service.runtime import log
from service.runtime.settings import ConsumerSettings
from service.store.errors import FencedError
from service.store.generations import GenerationError

SUMMARY = "build the counters anew from the topic, beside the live ones, and swap the two"
DESCRIPTION = """\
Reads the topic from its beginning into new keys. Consumers and the API go on with the live ones meanwhile, until the
new ones have all that those have; then they take their place in one step, and the old ones are deleted. Redis needs
room for both. Interrupted, at whatever instant, it goes on from where it was when it is run again.

Dead letters are not sent again. Where the topic no longer has what is counted now, nothing is begun.

example:
  python -m consumers rebuild
  python -m consumers rebuild --discard
"""
FOUND = "jobs would be lost, another rebuild is under way, or the topic is another by now"


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the command's own arguments."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--discard", action="store_true", help="throw away what an interrupted rebuild has built")
    which.add_argument(
        "--accept-gaps", action="store_true", help="lose the jobs that the topic no longer has; the gaps are recorded"
    )


async def run(settings: ConsumerSettings, arguments: Namespace, terminal: Terminal) -> int:
    """Rebuilds the store, or discards an unfinished rebuild. Raises StoreUnavailableError, LayoutError, KafkaError."""
    try:
        if arguments.discard:
            await _discard(settings, terminal)
        else:
            await _rebuild(settings, terminal, arguments.accept_gaps)
    except JobsWouldBeLostError as error:
        return _refuse(f"{error}; with --accept-gaps they are lost, and recorded as gaps")
    except FencedError as error:
        return _refuse(f"{error}: another rebuild is under way, or Redis went back; run it again to go on")
    except GenerationError as error:
        return _refuse(str(error))
    return 0


async def _rebuild(settings: ConsumerSettings, terminal: Terminal, accept_gaps: bool) -> None:
    rebuilt = await rebuild(settings, accept_gaps, partial(terminal.progress, "offsets"))
    document = {
        "generation": rebuilt.generation,
        "records": rebuilt.records,
        "dead_letters": rebuilt.dead_letters,
        "gaps": rebuilt.gaps,
        "deleted_keys": rebuilt.deleted_keys,
    }
    letters = sum(rebuilt.dead_letters.values())
    terminal.result(
        document,
        [
            f"generation {rebuilt.generation} is live: {rebuilt.records} records read, {letters} of them dead letters,"
            f" {rebuilt.gaps} gaps; {rebuilt.deleted_keys} keys of the former generation deleted"
        ],
    )


async def _discard(settings: ConsumerSettings, terminal: Terminal) -> None:
    keys = await discard(settings)
    terminal.result({"deleted_keys": keys}, [f"{keys} keys deleted"])


def _refuse(line: str) -> int:
    log.say(line)
    return 1
