"""The Makefile: programs are installed into its own environment, whatever that of its user says."""

import os
import subprocess
from pathlib import Path

PROJECT = Path(__file__).parents[2]
_ELSEWHERE = {f"PIP_{name}": "/elsewhere" for name in ("TARGET", "PREFIX", "ROOT", "PYTHON")}


def test_pip_installs_nowhere_else() -> None:
    """What makes pip install elsewhere, or take a package for installed that is not, does not reach it."""
    shown = subprocess.run(
        ["make", "--silent", "--file=-", "show"],  # noqa: S607 - what the tests are run with
        input="include Makefile\nshow:\n\t@env\n",
        env={**os.environ, **_ELSEWHERE, "PIP_USER": "1", "PYTHONPATH": "/elsewhere", "PYTHONHOME": "/elsewhere"},
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    )
    variables = dict(line.split("=", 1) for line in shown.stdout.splitlines() if "=" in line)
    assert variables["PIP_USER"] == "0"  # stronger than `user = true` in a pip.conf
    assert not variables.keys() & {*_ELSEWHERE, "PYTHONPATH", "PYTHONHOME"}
