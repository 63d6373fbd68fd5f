"""What a command writes, and where: names in any locale, to a reader that has gone, to a disk that is full."""

import asyncio
import os
import shlex
import sys

import pytest

from tests.commands.support import Result
from tests.store.support import Store, event

NAME = "测试 é 😀"
JOB = "project/job"


async def shell(redis_url: str, command_line: str) -> Result:
    """Runs a command line of a shell in which `consumers` is `python -m consumers`."""
    process = await asyncio.create_subprocess_shell(
        f'consumers() {{ {shlex.quote(sys.executable)} -m consumers "$@"; }}; {command_line}',
        env={**os.environ, "STATS_REDIS_URL": redis_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return Result(process.returncode, out.decode(), err.decode())


@pytest.mark.parametrize(
    ("locale", "encoding", "shown"),
    [
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "ascii", r"\u6d4b\u8bd5 \xe9 \U0001f600"),
        ({"PYTHONIOENCODING": "gbk"}, "gbk", r"测试 é \U0001f600"),
    ],
    ids=["C", "GBK"],
)
async def test_names_are_written_in_any_locale(
    store: Store, redis_flushed: str, locale: dict[str, str], encoding: str, shown: str
) -> None:
    """What the encoding does not have is written with escapes; the exit code is that of the finding."""
    await store.apply([event("job", user_name=NAME)])
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "consumers", "inspect", JOB),
        env={**os.environ, **locale, "STATS_REDIS_URL": redis_flushed},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert f"user        user ({shown})\n" in out.decode(encoding)


@pytest.mark.parametrize(
    ("command_line", "line"),
    [
        (f"consumers inspect {JOB} >/dev/full", "what was found cannot be written: [Errno 28] No space left on device"),
        (f"consumers inspect {JOB} --json >&-", "what was found cannot be written: standard output is closed"),
        ("consumers inspect --help >/dev/full", "what was found cannot be written: [Errno 28] No space left on device"),
    ],
)
async def test_what_cannot_be_written_is_no_finding(
    store: Store, redis_flushed: str, command_line: str, line: str
) -> None:
    """Exit code 5 and one line: 1 would say that something was found."""
    await store.apply([event("job")])
    result = await shell(redis_flushed, command_line)
    assert (result.code, result.err) == (5, f"{line}\n")


async def test_check_ends_when_its_reader_has_gone(redis_flushed: str) -> None:
    """It reads no further, though its input has no end; the exit code is that of what it found, and there is no sum."""
    bad = "timeout 30 yes '{}'"
    result = await shell(redis_flushed, f'{bad} | {{ consumers check -; echo "code $?" >&2; }} | head -1')
    assert result.out.startswith("1: missing_field: ")
    assert result.err == "code 1\n"


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full"])
async def test_errors_that_cannot_be_written_leave_the_exit_code(redis_flushed: str, where: str) -> None:
    """A command that fails says so by its exit code, and never on standard output."""
    result = await shell(redis_flushed, f"STATS_REDIS_URL=mysql:// consumers verify {where}")
    assert (result.code, result.out, result.err) == (2, "", "")
