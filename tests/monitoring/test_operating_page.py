"""Each command of docs/operating.md is run: here on a running stack, or in a test that the page's source names."""

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.conftest import require_part
from tests.docs import anchors
from tests.monitoring.page import PAGE, Block, blocks, inline, shape, unmarked
from tests.monitoring.rules import Alert, alerts
from tests.monitoring.stack import JOB_ID, PROJECT_ID, Stack
from tests.servers import PROJECT

TEXT = PAGE.read_text(encoding="utf-8")
TO_RUN = [block for block in blocks(TEXT) if "run" in block.words]
# Commands in sentences that are not run here, and the test that does the same.
INLINE_ELSEWHERE = {
    ".venv/bin/python -m consumers ...": "tests/consumers/test_local_stack.py",
    "python -m consumers COMMAND": "tests/commands/test_output.py",
    "python -m consumers check FILE": "tests/commands/test_check.py",
    "python -m service": "tests/end_to_end/test_end_to_end.py",
    "python -m consumers": "tests/end_to_end/test_end_to_end.py",
    "docker compose up --build --detach --wait": "tests/shipped/test_compose.py",
    "python -m service.runtime.probe /readyz": "tests/unit/test_probe.py",
    "docker run --init": "tests/faults/test_signals.py",
    "systemctl restart UNIT": "tests/shipped/test_systemd.py",
    'redis-cli -u "$NEW_REDIS_URL" REPLICAOF NO ONE': "tests/end_to_end/test_moves.py",
}
# What stands for a value in a sentence. Blocks have values that hold for the stack.
_STAND_INS = {"PROJECT/JOB": f"{PROJECT_ID}/{JOB_ID}", "PROJECT": PROJECT_ID, "ID": PROJECT_ID}


def test_of_each_command_it_is_said_where_it_is_run() -> None:
    """Mark its block `sh run`, or `sh elsewhere=tests/...`: see CONTRIBUTING.md."""
    assert list(unmarked(TEXT)) == []


def test_what_is_run_elsewhere_is_named_there() -> None:
    """What a block names is a file of tests, or a test in one."""
    for named in [block.words["elsewhere"] for block in blocks(TEXT) if "elsewhere" in block.words]:
        path, _, test = named.partition("::")
        assert f"def {test or 'test_'}" in (PROJECT / path).read_text(), named


def test_what_sentences_name_is_run_elsewhere() -> None:
    """The list above names no command that is not on the page, and tests that are there."""
    assert INLINE_ELSEWHERE.keys() <= set(inline(TEXT))
    assert all((PROJECT / test).exists() for test in INLINE_ELSEWHERE.values())


@pytest.fixture(scope="module")
def already() -> dict[str, str]:
    """What commands have printed: one that the page has again is not run again."""
    return {}


@pytest.mark.parametrize("block", TO_RUN, ids=lambda block: block.commands[0])
async def test_commands(stack: Stack, already: dict[str, str], block: Block) -> None:
    """Each of a block ends as the page says, and prints nothing of another shape than the page shows."""
    for command in block.commands:
        await run_once(stack, already, command, block.exit_status)
    printed = already[block.commands[-1]]
    if block.output:
        shown = {shape(line) for line in block.output.splitlines()}
        assert printed
        assert {shape(line) for line in printed.splitlines()} <= shown


@pytest.mark.parametrize("command", [command for command in inline(TEXT) if command not in INLINE_ELSEWHERE])
async def test_commands_in_sentences(stack: Stack, already: dict[str, str], command: str) -> None:
    """Each ends with 0, with the stack's values for what stands for one."""
    command = re.sub(r"PROJECT/JOB|\b(?:PROJECT|ID)\b", lambda match: _STAND_INS[match[0]], command)
    await run_once(stack, already, command, 0)


async def run_once(stack: Stack, already: dict[str, str], command: str, exit_status: int) -> None:
    """Runs a command, unless that has been done."""
    if command not in already:
        already[command] = await run(stack, command, exit_status)


async def run(stack: Stack, command: str, exit_status: int) -> str:
    """What a command prints that is run as on the machine of the stack."""
    if "redis-cli" in command:
        require_part(shutil.which("redis-cli") is not None, "redis-cli")
        assert command.count('redis-cli -u "$STATS_REDIS_URL"') == command.count("redis-cli"), (
            "else it asks another Redis"
        )
    command = command.replace(":8080/", f":{stack.api_port}/").replace(":9464/", f":{stack.metrics_port}/")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("STATS_")}
    path = f"{Path(sys.executable).parent}:{inherited['PATH']}"
    process = await asyncio.create_subprocess_exec(
        *("bash", "-o", "pipefail", "-c", command),
        env={**inherited, **stack.environment, "PATH": path, "STATS_LOG_LEVEL": "ERROR"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == exit_status, (command, out.decode(), err.decode())
    printed = out.decode(errors="replace")
    assert not printed.startswith("ERR "), (command, printed)  # redis-cli ends with 0 all the same
    return printed


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)
def test_runbooks(alert: Alert) -> None:
    """The link of an alert leads to a heading that has cause, commands and the way back."""
    path, anchor = alert.runbook
    assert PROJECT / path == PAGE
    section = _sections()[anchor]
    assert re.search(r"\*\*Cause|\| cause \|", section)
    assert any("run" in block.words or "elsewhere" in block.words for block in blocks(section))
    assert re.search(r"\*\*Way back\.?\*\*", section)


def test_the_page_has_each_alert() -> None:
    """With its severity and a link to its runbook, in the order of the rules."""
    rows = re.findall(r"^\| `(Stats\w+)` \| (\w+) \| \[.*\]\(#(.*)\) \|$", TEXT, re.MULTILINE)
    assert rows == [(alert.name, alert.severity, alert.runbook[1]) for alert in alerts()]


def _sections() -> dict[str, str]:
    """The text below each heading of the second level, by its anchor."""
    parts = re.split(r"^(?=## )", TEXT, flags=re.MULTILINE)[1:]
    return {anchors(part.splitlines()[0] + "\n").pop(): part for part in parts}
