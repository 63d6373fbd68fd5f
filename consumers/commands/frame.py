"""Runs the command line of `python -m consumers COMMAND`: arguments, settings, exit codes."""

import asyncio
import signal
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Protocol

from aiokafka.errors import KafkaError

from consumers.commands import inspect_job, rebuild, replay_dead_letters, verify
from consumers.commands.terminal import Terminal
from consumers.waiting import unless_set
from service.runtime import log
from service.runtime.settings import ConsumerSettings, SettingsError, load
from service.store.errors import LayoutError, StoreUnavailableError

EXIT_SETTINGS, EXIT_LAYOUT, EXIT_UNREACHABLE, EXIT_INTERRUPTED = 2, 3, 4, 130

_EXIT_CODES = """
Settings are the environment variables of `python -m consumers`.

exit codes:
  0    all is well
  1    {found}
  2    an argument or a setting is not valid
  3    the store was written by another layout version
  4    Redis or Kafka cannot be reached
  130  interrupted
"""


class Command(Protocol):
    """Describes what a module must have to be a command."""

    SUMMARY: str
    """What the command does, in one line for the list of commands."""
    DESCRIPTION: str
    """What the command does, with an example."""
    FOUND: str
    """What exit code 1 means."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Adds the command's own arguments."""

    async def run(self, settings: ConsumerSettings, arguments: Namespace, terminal: Terminal) -> int:
        """Runs the command, and returns 0, or 1 if it found something.

        Raises StoreUnavailableError, LayoutError, KafkaError.
        """


COMMANDS: Mapping[str, Command] = {
    "verify": verify,
    "inspect": inspect_job,
    "replay-dead-letters": replay_dead_letters,
    "rebuild": rebuild,
}


def main(argv: Sequence[str]) -> int:
    """Runs the command that the arguments name, and returns its exit status; `consumers/__main__.py` calls it."""
    arguments = create_parser().parse_args(argv)
    try:
        settings = load(ConsumerSettings)
    except SettingsError as error:
        return _fail(EXIT_SETTINGS, *error.lines)
    log.configure(settings.log_level)
    try:
        return asyncio.run(
            _until_interrupted(COMMANDS[arguments.command].run(settings, arguments, Terminal(arguments.json)))
        )
    except LayoutError as error:
        return _fail(EXIT_LAYOUT, f"STATS_REDIS_URL: {error}")
    except StoreUnavailableError as error:
        return _fail(EXIT_UNREACHABLE, f"STATS_REDIS_URL: {error}")
    except KafkaError as error:
        return _fail(EXIT_UNREACHABLE, f"STATS_KAFKA_BOOTSTRAP_SERVERS: {error}")
    except KeyboardInterrupt:
        return _fail(EXIT_INTERRUPTED, "interrupted")


def create_parser() -> ArgumentParser:
    """Returns the parser of `COMMAND [arguments]`, which exits with 2 if they are not valid."""
    parser = ArgumentParser(
        prog="python -m consumers",
        description="Without a command: one consumer process, until SIGTERM. With one: what an operator needs.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        each = commands.add_parser(
            name,
            help=command.SUMMARY,
            description=command.DESCRIPTION,
            epilog=_EXIT_CODES.format(found=command.FOUND),
            formatter_class=RawDescriptionHelpFormatter,
        )
        each.add_argument("--json", action="store_true", help="print one JSON document")
        command.add_arguments(each)
    return parser


async def _until_interrupted(command: Coroutine[Any, Any, int]) -> int:
    """Awaits the command and returns its status; raises KeyboardInterrupt on SIGINT, once the command has ended."""
    interrupted = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupted.set)
    status = await unless_set(interrupted, command)
    if status is None:
        raise KeyboardInterrupt
    return status


def _fail(code: int, *lines: str) -> int:
    print(*lines, sep="\n", file=sys.stderr)  # noqa: T201 - for whoever typed the command, not for the log
    return code
