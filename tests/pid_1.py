"""Runs a program as PID 1 of a namespace, as in a container: it gets no signal that it has no handler for."""

import subprocess

import pytest

_UNSHARE = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child")


def as_pid_1() -> tuple[str, ...]:
    """What a command begins with to run as PID 1; skips the test where that is not allowed."""
    try:
        subprocess.run([*_UNSHARE, "true"], check=True, capture_output=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"nothing can be run as PID 1 here: {error}")
    return _UNSHARE
