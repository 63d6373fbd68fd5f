"""Runs the command line of `python -m consumers COMMAND`: arguments, settings, exit codes."""

import asyncio
import signal
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Protocol

from aiokafka.errors import KafkaError

from consumers.commands import check, downgrade, inspect_job, rebuild, replay_dead_letters, upgrade, verify
from consumers.commands.check import FileError
from consumers.commands.terminal import OutputError, Terminal, write
from consumers.kafka.denials import explain
from consumers.waiting import unless_set
from service.runtime import log
from service.runtime.early import stop_on_signals
from service.runtime.settings import ConsumerSettings, SettingsError, load
from service.store.errors import LayoutError, StoreUnavailableError

EXIT_SETTINGS, EXIT_LAYOUT, EXIT_UNREACHABLE, EXIT_OUTPUT, EXIT_INTERRUPTED, EXIT_TERMINATED = 2, 3, 4, 5, 130, 143

_SETTINGS = """
Settings are the environment variables of `python -m consumers`.
"""
_EXIT_CODES = """
exit codes:
  0    all is well
  1    {found}
  2    an argument or a setting is not valid
  3    the store was written by another layout version
  4    Redis or Kafka cannot be reached
  5    what was found cannot be written
  70   a fault of the command: the last line on stderr has a traceback
  130  interrupted (SIGINT)
  143  interrupted (SIGTERM)
"""


class Described(Protocol):
    """Describes what the parser asks of a command's module."""

    SUMMARY: str
    """What the command does, in one line for the list of commands."""
    DESCRIPTION: str
    """What the command does, with an example."""
    FOUND: str
    """What exit code 1 means."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Adds the command's own arguments."""


class Command(Described, Protocol):
    """Describes what a module must have to be a command that asks servers."""

    async def run(self, settings: ConsumerSettings, arguments: Namespace, terminal: Terminal) -> int:
        """Runs the command, and returns 0, or 1 if it found something.

        Raises SettingsError, StoreUnavailableError, LayoutError, KafkaError, OutputError.
        """


class FileCommand(Described, Protocol):
    """Describes what a module must have to be a command that reads a file, and needs neither servers nor settings."""

    def run(self, arguments: Namespace, terminal: Terminal) -> int:
        """Runs the command, and returns 0, or 1 if it found something. Raises FileError, OutputError."""


COMMANDS: Mapping[str, Command] = {
    "verify": verify,
    "inspect": inspect_job,
    "replay-dead-letters": replay_dead_letters,
    "rebuild": rebuild,
    "upgrade": upgrade,
    "downgrade": downgrade,
}
FILE_COMMANDS: Mapping[str, FileCommand] = {"check": check}


def main(argv: Sequence[str]) -> int:
    """Runs the command that the arguments name, and returns its exit status; `consumers/__main__.py` calls it."""
    try:
        arguments = create_parser().parse_args(argv)
        if arguments.command in FILE_COMMANDS:  # it has no event loop: a signal ends it at once
            return FILE_COMMANDS[arguments.command].run(arguments, Terminal(arguments.json))
        settings = load(ConsumerSettings)
        log.configure(settings.log_level)
        log.take_strays()
        command = COMMANDS[arguments.command].run(settings, arguments, Terminal(arguments.json))
        return asyncio.run(_until_signal(command))
    except SettingsError as error:
        log.say(*error.lines)
        return EXIT_SETTINGS
    except (LayoutError, StoreUnavailableError, KafkaError, OutputError, FileError) as error:
        status, line = _describe(error)
        log.say(line)
        return status


def _describe(error: Exception) -> tuple[int, str]:
    """Returns the exit code and the line for an error that ends a command."""
    match error:
        case LayoutError():
            return EXIT_LAYOUT, f"STATS_REDIS_URL: {error}"
        case StoreUnavailableError():
            return EXIT_UNREACHABLE, f"STATS_REDIS_URL: {error}"
        case KafkaError():
            denial = explain(error)
            line = f"STATS_KAFKA_BOOTSTRAP_SERVERS: {error}" if denial is None else f"Kafka denies us access: {denial}"
            return EXIT_UNREACHABLE, line
        case FileError():
            return EXIT_SETTINGS, str(error)
        case _:
            return EXIT_OUTPUT, f"what was found cannot be written: {error}"


class _Parser(ArgumentParser):
    def print_help(self, file: Any = None) -> None:
        """Prints the help as results are printed. Raises OutputError."""
        write(self.format_help().rstrip())


def create_parser() -> ArgumentParser:
    """Returns the parser of `COMMAND [arguments]`, which exits with 2 if they are not valid."""
    parser = _Parser(
        prog="python -m consumers",
        description="Without a command: one consumer process, until SIGTERM. With one: what an operator needs.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    described: Mapping[str, Described] = {**COMMANDS, **FILE_COMMANDS}
    for name, command in described.items():
        each = commands.add_parser(
            name,
            help=command.SUMMARY,
            description=command.DESCRIPTION,
            epilog=(_SETTINGS if name in COMMANDS else "") + _EXIT_CODES.format(found=command.FOUND),
            formatter_class=RawDescriptionHelpFormatter,
        )
        each.add_argument("--json", action="store_true", help="print JSON")
        command.add_arguments(each)
    return parser


async def _until_signal(command: Coroutine[Any, Any, int]) -> int:
    """Awaits the command and returns its status; at a signal cancels it, and returns the signal's once it has ended."""
    signals: list[int] = []
    is_told = asyncio.Event()

    def tell(number: int) -> None:
        signals.append(number)
        is_told.set()

    stop_on_signals(asyncio.get_running_loop(), tell)
    status = await unless_set(is_told, command)
    if status is None:
        log.say("interrupted")
        return EXIT_INTERRUPTED if signals[0] == signal.SIGINT else EXIT_TERMINATED
    return status
