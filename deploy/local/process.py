"""Runs child processes: each has a log file and a session of its own, and none outlives its parent."""

import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

STOP_SECONDS = 10.0
READY_SECONDS = 30.0
POLL_SECONDS = 0.05
TAIL_LINES = 15
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class ChildFailedError(Exception):
    """Says that a child ended, or did not do in time what it must; the text names the child and has its log's end."""


@dataclass(frozen=True)
class Child:
    """Controls a process that was started, and knows the file that its standard error goes to."""

    name: str
    process: subprocess.Popen[bytes]
    log_path: Path

    def tail(self) -> str:
        """Returns the last lines of the log."""
        lines = self.log_path.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join(f"  {line}" for line in lines)

    def failure(self, what: str) -> ChildFailedError:
        """Returns an error that says what is wrong with this child."""
        return ChildFailedError(f"{self.name} {what}; the end of {self.log_path}:\n{self.tail()}")

    def check(self) -> None:
        """Raises ChildFailedError if the process has ended."""
        code = self.process.poll()
        if code is not None:
            raise self.failure(f"has ended by itself (exit code {code})")

    def stop(self, patience_seconds: float = STOP_SECONDS) -> None:
        """Asks the process to end, and kills it after so many seconds; does nothing if it has ended."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(patience_seconds)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.close_input()

    def close_input(self) -> None:
        """Closes the pipe to the process's standard input, if it has one."""
        if self.process.stdin is not None:
            self.process.stdin.close()


def start_child(  # noqa: PLR0913 - a process has that many properties
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    log_path: Path,
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: BinaryIO | None = None,
) -> Child:
    """Starts `command` with exactly the variables of `environment`, and returns the child.

    Its standard error goes to the log, and so does its standard output unless `stdout` is given. Call it from the main
    thread: on Linux the kernel kills the child when the thread that started it ends.
    """
    parent = os.getpid()
    with log_path.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own programs
            command,
            env=dict(environment),
            stdin=stdin,
            stdout=stdout or log,
            stderr=log,
            start_new_session=True,
            preexec_fn=lambda: _end_with_parent(parent),  # noqa: PLW1509 - takes no lock
        )
    return Child(name, process, log_path)


def wait_until(child: Child, condition: Callable[[], bool], what: str, timeout_seconds: float = READY_SECONDS) -> None:
    """Waits until `condition` holds. Raises ChildFailedError if the child ends or the time is over."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        child.check()
        if time.monotonic() > deadline:
            raise child.failure(f"did not {what} within {timeout_seconds:.0f} s")
        time.sleep(POLL_SECONDS)


def wait_ready(child: Child, condition: Callable[[], bool], what: str, timeout_seconds: float = READY_SECONDS) -> Child:
    """Waits as wait_until does, and returns the child; stops the child if the wait raises an error."""
    try:
        wait_until(child, condition, what, timeout_seconds)
    except BaseException:
        child.stop()
        raise
    return child


def accepts_connections(port: int) -> bool:
    """Returns whether a process listens on this port of the loopback address."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def redis_answers(port: int) -> bool:
    """Returns whether a Redis on this port answers a PING."""
    try:
        with Redis(host="127.0.0.1", port=port, socket_timeout=1) as client:
            return bool(client.ping())
    except (RedisConnectionError, RedisTimeoutError):
        return False


def is_ready(port: int) -> bool:
    """Returns whether the HTTP server on this port answers /readyz with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _end_with_parent(parent: int) -> None:
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before the call above
            os._exit(1)
