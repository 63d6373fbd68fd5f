"""A simulation can fail: without a protection of the product a life notices, and with it the same life ends well."""

import subprocess
import sys

import pytest

from tests.servers import PROJECT
from tests.simulation.protections import PROTECTIONS
from tests.simulation.without import texts_without

# By protection a seed, the numbers of its faults, and what notices. Where lives are planned otherwise than before,
# others are to be looked for: `python -m tests.simulation --without NAME`, then `--shrink`.
FOUND = {
    "replay": (1, "", "in check"),
    "high-watermark": (2, "0", "in _check_grown"),
    "leader": (25, "5", "in check"),
    "mark": (3, "2", "in check"),
    "held": (1, "", "in check"),
}


def _live(seed: int, faults: str, *without: str) -> tuple[int, str]:
    """Returns the status of the simulation, and what it says."""
    options = [word for name in without for word in ("--without", name)]
    words = [sys.executable, "-m", "tests.simulation", str(seed), "--faults", faults, "--jobs", "90", *options]
    ran = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=False)  # noqa: S603 - our program
    return ran.returncode, f"{ran.stdout}\n{ran.stderr}"


@pytest.mark.parametrize("name", FOUND)
def test_life_notices(name: str) -> None:
    """The life fails without the protection, and by nothing else."""
    seed, faults, words = FOUND[name]
    assert _live(seed, faults)[0] == 0
    status, told = _live(seed, faults, name)
    assert status == 1, told
    assert words in told


@pytest.mark.parametrize("name", PROTECTIONS)
def test_protection_is_there(name: str) -> None:
    """What is to be taken out is in the product."""
    assert texts_without(name)
