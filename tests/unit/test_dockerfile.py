"""The Dockerfile: its style, and the version that it names."""

import subprocess
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def test_style() -> None:
    """Hadolint finds nothing."""
    command = [str(Path(sys.executable).with_name("hadolint")), "--no-color", "Dockerfile"]
    linted = subprocess.run(command, cwd=PROJECT, check=False, capture_output=True, text=True)  # noqa: S603 - a tool
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_version() -> None:
    """The image's label has the project's version."""
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    assert f'org.opencontainers.image.version="{version}"' in (PROJECT / "Dockerfile").read_text()
