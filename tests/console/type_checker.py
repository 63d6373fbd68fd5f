"""Gets TypeScript from npm, in the version of typescript/package-lock.json, once, into a folder."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from deploy.maven import MissingPartError

_NAMED = Path(__file__).parent / "typescript"
_LOCK = "package-lock.json"


def find_type_checker(folder: Path) -> Path:
    """The path of `tsc`; npm gets it the first time, and checks its digest. Raises MissingPartError."""
    installed = folder / "installed"
    if not _holds(installed):
        _install(folder, installed)
    return installed / "node_modules" / ".bin" / "tsc"


def _holds(installed: Path) -> bool:
    lock = installed / _LOCK
    return lock.exists() and lock.read_bytes() == (_NAMED / _LOCK).read_bytes()


def _install(folder: Path, installed: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise MissingPartError("TypeScript: no npm in the PATH to get it")
    folder.mkdir(parents=True, exist_ok=True)
    # Made aside and then moved: a run that is cut off leaves nothing that looks whole, and two do not meet.
    with tempfile.TemporaryDirectory(dir=folder) as aside:
        made = Path(aside) / "installed"
        shutil.copytree(_NAMED, made)
        done = subprocess.run([npm, "ci"], cwd=made, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            raise MissingPartError(f"TypeScript: npm did not get it: {done.stderr.strip().splitlines()[:1]}")
        if not _holds(installed):
            shutil.rmtree(installed, ignore_errors=True)
            made.rename(installed)
