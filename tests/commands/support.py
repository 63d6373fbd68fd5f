"""What the tests of commands share: commands in this process, and as processes of their own."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from consumers.commands.frame import COMMANDS, create_parser
from consumers.commands.terminal import Terminal
from service.runtime.settings import ConsumerSettings


@dataclass(frozen=True, slots=True)
class Result:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document on standard output."""
        document: dict[str, Any] = json.loads(self.out)
        return document


async def run(settings: ConsumerSettings, capsys: pytest.CaptureFixture[str], *argv: str) -> Result:
    """Runs a command in this process."""
    arguments = create_parser().parse_args(argv)
    code = await COMMANDS[arguments.command].run(settings, arguments, Terminal(arguments.json))
    captured = capsys.readouterr()
    return Result(code, captured.out, captured.err)


async def start(
    environment: dict[str, str],
    *argv: str,
    stdout: int = asyncio.subprocess.PIPE,
    stderr: int = asyncio.subprocess.PIPE,
) -> asyncio.subprocess.Process:
    """Starts `python -m consumers`; of the STATS_ variables it sees those in `environment` alone."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("STATS_")}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "consumers", *argv),
        env={**inherited, **environment},
        stdout=stdout,
        stderr=stderr,
    )


async def run_process(environment: dict[str, str], *argv: str) -> Result:
    """Runs `python -m consumers` to its end."""
    process = await start(environment, *argv)
    out, err = await process.communicate()
    assert process.returncode is not None
    return Result(process.returncode, out.decode(), err.decode())
