"""The wheel and the sdist of this checkout."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Distribution:
    """Holds the paths of what was built from one folder."""

    wheel: Path
    sdist: Path


def build(folder: Path, target: Path) -> Distribution:
    """Builds the project in `folder` into `target`, as `make dist` does. Raises CalledProcessError."""
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(target)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)  # noqa: S603 - a tool
    (wheel,), (sdist,) = target.glob("*.whl"), target.glob("*.tar.gz")
    return Distribution(wheel, sdist)


@pytest.fixture(scope="session")
def distribution(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Distribution:
    """What `make dist` builds of this checkout."""
    return build(pytestconfig.rootpath, tmp_path_factory.mktemp("dist"))
