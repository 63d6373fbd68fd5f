"""What holds from a program's first moment on: signals end it, an error that nobody catches is a line of the log."""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.pid_1 import as_pid_1

# Sends a signal to its own process as a program begins to import something that takes long.
_SIGNAL_DURING_IMPORTS = """
import os, runpy, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if name == "asyncio" or top not in sys.stdlib_module_names | {"service", "consumers"}:
            os.kill(os.getpid(), NUMBER)

sys.argv[1:] = ARGUMENTS
sys.modules.pop("asyncio", None)
sys.meta_path.insert(0, Finder())
runpy.run_module("PROGRAM", run_name="__main__")
"""


def run(program: str, prefix: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end, as `python -c` does, without variables that change how Python runs."""
    command = [*prefix, sys.executable, "-E", "-c", program]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)  # noqa: S603


@pytest.mark.parametrize("is_pid_1", [False, True], ids=["some PID", "PID 1"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    ("program", "arguments", "is_command"),
    [("service", [], False), ("consumers", [], False), ("consumers", ["verify"], True)],
    ids=["service", "consumers", "command"],
)
def test_a_signal_during_imports_ends_the_program(
    program: str, arguments: list[str], is_command: bool, number: signal.Signals, is_pid_1: bool
) -> None:
    """It ends at once, without a traceback: a process with 0, as it was asked to stop, a command with its own codes."""
    text = _SIGNAL_DURING_IMPORTS.replace("PROGRAM", program).replace("NUMBER", str(int(number)))
    ended = run(text.replace("ARGUMENTS", str(arguments)), as_pid_1() if is_pid_1 else ())
    expected = (128 + number, "", "interrupted\n") if is_command else (0, "", "")
    assert (ended.returncode, ended.stdout, ended.stderr) == expected


def test_an_error_that_nobody_catches_is_one_line_of_the_log() -> None:
    """Its status is none that means something else, and its traceback is a field of the line."""
    ended = run("""
from service.runtime.early import begin
begin(lambda _: 0)
raise ValueError("a fault")
""")
    assert (ended.returncode, ended.stdout) == (70, "")
    [line] = map(json.loads, ended.stderr.splitlines())
    assert (line["level"], line["exception"]) == ("CRITICAL", "ValueError")
    assert line["traceback"].endswith("ValueError: a fault")


def test_a_crash_in_native_code_says_where() -> None:
    """What no handler of Python's can see leaves the place in Python that led to it."""
    ended = run("""
import ctypes
from service.runtime.early import begin
begin(lambda _: 0)
ctypes.string_at(0)
""")
    assert ended.returncode == -signal.SIGSEGV
    assert "Fatal Python error: Segmentation fault" in ended.stderr


def test_a_signal_as_the_program_ends_leaves_its_status() -> None:
    """Whoever is impatient asks twice; that the loop is closed already is no matter."""
    ended = run("""
import asyncio, os, signal
from service.runtime.early import begin, stop_on_signals

class Last:
    def __del__(self, kill=os.kill, pid=os.getpid(), number=signal.SIGTERM):
        kill(pid, number)  # as Python takes its modules apart

last = Last()
begin(lambda _: 9)

async def work():
    stop = asyncio.Event()
    stop_on_signals(asyncio.get_running_loop(), lambda _: stop.set())
    os.kill(os.getpid(), signal.SIGTERM)
    await stop.wait()

asyncio.run(work())
os.kill(os.getpid(), signal.SIGINT)
raise SystemExit(3)
""")
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "", "")


def test_what_python_would_print_is_in_the_log() -> None:
    """Warnings and errors that have no caller are lines of JSON, as all else on stderr."""
    ended = run("""
import threading, warnings
from service.runtime import log

class Careless:
    def __del__(self):
        raise ValueError("in a finalizer")

log.configure("INFO")
log.take_strays()
Careless()
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
warnings.warn("take care")
""")
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [line.get("exception") for line in lines] == ["ValueError", "ZeroDivisionError", None]
    assert "take care" in lines[2]["message"]
    assert (ended.returncode, ended.stdout) == (0, "")


def test_text_that_cannot_be_written_leaves_the_status() -> None:
    """Python would end with 120 where the log's disk is full."""
    ended = run("""
import os, sys
from contextlib import suppress
from service.runtime.early import begin
begin(lambda _: 0)
os.dup2(os.open("/dev/full", os.O_WRONLY), 2)
os.dup2(2, 1)
print("lost")
with suppress(OSError):
    sys.stderr.write("lost")
""")
    assert ended.returncode == 0
