"""Which room of the code may know which: the contracts are in pyproject.toml, under tool.importlinter."""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def test_no_room_knows_another_that_it_must_not() -> None:
    """Every import of the code keeps to the contracts; the output names those that do not."""
    # in a process of its own, as the linter configures logging
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    linted = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)  # noqa: S603 - a tool
    assert linted.returncode == 0, linted.stdout + linted.stderr
