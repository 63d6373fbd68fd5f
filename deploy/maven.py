"""Gets jars from Maven's repository: those that a pom names, once, into a folder."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


class MissingPartError(Exception):
    """Says that a part that some tests need is not on this machine; the text says which part and why."""


def find_java(wanted_by: str) -> str:
    """Returns the path of a Java. Raises MissingPartError, which names who wants it."""
    java = shutil.which("java")
    if java is None:
        raise MissingPartError(f"{wanted_by}: no java in the PATH")
    return java


def find_jars(pom: Path, folder: Path, wanted_by: str) -> Path:
    """Returns the folder of the jars that a pom names; resolves them into `folder` the first time, and waits for that.

    Raises MissingPartError, which names who wants them.
    """
    folder = folder.resolve()  # Maven takes paths from the pom's folder
    jars = folder / "libs"
    if not _holds(jars, pom):
        _resolve(pom, folder, jars, wanted_by)
    return jars


def _holds(jars: Path, pom: Path) -> bool:
    """Returns whether the folder has the jars of this pom: the pom is copied beside them last."""
    copy = jars / pom.name
    return copy.exists() and copy.read_bytes() == pom.read_bytes()


def _resolve(pom: Path, folder: Path, jars: Path, wanted_by: str) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingPartError(f"{wanted_by}: its jars are not there, and no mvn in the PATH to get them")
    folder.mkdir(parents=True, exist_ok=True)
    # The jars are made aside and then moved. So a run that is cut off leaves nothing that looks whole, and two runs do
    # not get in each other's way.
    with tempfile.TemporaryDirectory(dir=folder) as aside:
        target = Path(aside) / "libs"
        command = [maven, "--batch-mode", "--quiet", f"-Dmaven.repo.local={folder / 'repository'}", "-f", str(pom)]
        command += [_COPY, "-DincludeScope=runtime", f"-DoutputDirectory={target}"]
        done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            raise MissingPartError(f"{wanted_by}: mvn did not get its jars: {_last_error(done.stdout + done.stderr)}")
        shutil.copy(pom, target)
        shutil.rmtree(jars, ignore_errors=True)
        target.rename(jars)


def _last_error(output: str) -> str:
    lines = [line for line in output.splitlines() if "ERROR" in line] or output.splitlines() or ["it said nothing"]
    return lines[0].strip()
