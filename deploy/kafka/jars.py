"""Finds the parts of Apache Kafka: a Java that is installed, and the jars that Maven resolves once."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

_POM = Path(__file__).parent / "pom.xml"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


class MissingPartError(Exception):
    """Says that a part that some tests need is not on this machine; the text says which part and why."""


@dataclass(frozen=True, slots=True)
class KafkaProgram:
    """Holds the paths of a Java and of the folder with Kafka's jars."""

    java: str
    jars: Path


def find_kafka(folder: Path) -> KafkaProgram:
    """Returns Kafka's program; resolves its jars into `folder` the first time, and waits for that.

    Raises MissingPartError.
    """
    java = shutil.which("java")
    if java is None:
        raise MissingPartError("Apache Kafka: no java in the PATH")
    jars = folder / "libs"
    if not _holds(jars, _POM.read_bytes()):
        _resolve(folder, jars)
    return KafkaProgram(java, jars)


def _holds(jars: Path, pom: bytes) -> bool:
    """Returns whether the folder has the jars of this pom: the pom is copied beside them last."""
    copy = jars / _POM.name
    return copy.exists() and copy.read_bytes() == pom


def _resolve(folder: Path, jars: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingPartError("Apache Kafka: its jars are not there, and no mvn in the PATH to get them")
    folder.mkdir(parents=True, exist_ok=True)
    # The jars are made aside and then moved. So a run that is cut off leaves nothing that looks whole, and two runs do
    # not get in each other's way.
    with tempfile.TemporaryDirectory(dir=folder) as aside:
        target = Path(aside) / "libs"
        command = [maven, "--batch-mode", "--quiet", f"-Dmaven.repo.local={folder / 'repository'}", "-f", str(_POM)]
        command += [_COPY, "-DincludeScope=runtime", f"-DoutputDirectory={target}"]
        done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            raise MissingPartError(f"Apache Kafka: mvn did not get its jars: {_last_error(done.stdout + done.stderr)}")
        shutil.copy(_POM, target)
        shutil.rmtree(jars, ignore_errors=True)
        target.rename(jars)


def _last_error(output: str) -> str:
    lines = [line for line in output.splitlines() if "ERROR" in line] or output.splitlines() or ["it said nothing"]
    return lines[0].strip()
