"""The command line: exit codes, one clear line for each failure, progress on terminals alone."""

import asyncio
import os
import pty
import signal

import pytest

from consumers.commands.frame import COMMANDS, FILE_COMMANDS
from deploy.local.servers import free_port
from service.store.layout.keys import head_key
from tests.commands.support import run_process, start
from tests.store.damages import make_project
from tests.store.support import Store


@pytest.mark.parametrize("command", sorted([*COMMANDS, *FILE_COMMANDS]))
async def test_help_tells_of_an_example_and_of_exit_codes(command: str) -> None:
    """Each command's help has what one needs to use it, also in a script."""
    result = await run_process({}, command, "--help")
    assert result.code == 0
    for text in (
        f"python -m consumers {command}",
        "exit codes:",
        "--json",
        {**COMMANDS, **FILE_COMMANDS}[command].FOUND,
    ):
        assert text in result.out


@pytest.mark.parametrize(
    ("argv", "environment", "line"),
    [
        (["no-such-command"], {}, "invalid choice: 'no-such-command'"),
        (["verify", "--project", "a/b"], {}, "argument --project: not a project id"),
        (["inspect", "project"], {}, "argument PROJECT/JOB: not PROJECT/JOB"),
        (["replay-dead-letters", "--since", "soon"], {}, "argument --since: neither ISO 8601"),
        (["replay-dead-letters", "--reason", "boredom"], {}, "argument --reason: invalid choice: 'boredom'"),
        (["verify"], {"STATS_REDIS_URL": "mysql://x"}, "STATS_REDIS_URL: a URL of another scheme"),
    ],
)
async def test_arguments_and_settings_that_are_not_valid(
    argv: list[str], environment: dict[str, str], line: str
) -> None:
    """Exit code 2, and a last line that names what is wrong."""
    result = await run_process(environment, *argv)
    assert (result.code, result.out) == (2, "")
    assert line in result.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("argv", "variable"),
    [
        (["verify"], "STATS_REDIS_URL"),
        (["inspect", "project/job"], "STATS_REDIS_URL"),
        (["replay-dead-letters"], "STATS_KAFKA_BOOTSTRAP_SERVERS"),
    ],
)
async def test_servers_that_are_away(argv: list[str], variable: str) -> None:
    """Exit code 4 and one line that names the setting; no traceback."""
    port = free_port()
    environment = {
        "STATS_REDIS_URL": f"redis://:secret@127.0.0.1:{port}/0",
        "STATS_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{port}",
        "STATS_LOG_LEVEL": "CRITICAL",
    }
    result = await run_process(environment, *argv)
    [line] = result.err.splitlines()
    assert (result.code, result.out, line.split(":")[0]) == (4, "", variable)
    assert "secret" not in line


async def test_store_of_another_layout(store: Store, redis_flushed: str) -> None:
    """Exit code 3: nothing of it can be judged."""
    await store.client.set(head_key(0), (99).to_bytes(4, "little"))
    result = await run_process({"STATS_REDIS_URL": redis_flushed}, "verify")
    assert (result.code, result.out) == (3, "")
    assert result.err.startswith("STATS_REDIS_URL: the store has layout version 99")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_interrupted(number: signal.Signals, code: int) -> None:
    """A signal ends a command at once, with an exit code of its own and one line."""
    connected = asyncio.Event()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read(-1)
        writer.close()

    async with await asyncio.start_server(hear, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        process = await start({"STATS_REDIS_URL": f"redis://127.0.0.1:{port}/0"}, "verify")
        await connected.wait()
        process.send_signal(number)
        out, err = await process.communicate()
    assert (process.returncode, out, err) == (code, b"", b"interrupted\n")


async def test_progress_is_for_terminals(store: Store, redis_flushed: str) -> None:
    """A bar on standard error if that is a terminal, nothing otherwise; the result is the same."""
    await make_project(store)
    environment = {"STATS_REDIS_URL": redis_flushed, "TERM": "xterm", "COLUMNS": "100"}
    plain = await run_process(environment, "verify")
    ours, theirs = pty.openpty()
    process = await start(environment, "verify", stderr=theirs)
    out, _ = await process.communicate()
    os.close(theirs)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert (plain.code, plain.err) == (0, "")
    assert (process.returncode, out.decode()) == (0, plain.out)
    assert "job records" in shown
    assert "602/602" in shown


async def test_reader_that_has_seen_enough_is_no_failure(store: Store, redis_flushed: str) -> None:
    """Whoever reads may close the pipe, as `head` does: no traceback, and the exit code that it would have been."""
    await make_project(store)
    reading, writing = os.pipe()
    os.close(reading)
    process = await start({"STATS_REDIS_URL": redis_flushed}, "verify", stdout=writing)
    os.close(writing)
    _, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
