"""What operators inject into a process to trace it: OpenTelemetry's agent, in an environment of its own.

That environment has the agent's packages alone, at the versions of instrumentation.txt, and finds all others in the one
that the tests run in.
"""

import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from deploy.maven import MissingPartError

_WANTED = Path(__file__).with_name("instrumentation.txt")
_PROJECT = Path(__file__).parents[2]


def find_instrumented_python(folder: Path) -> list[str]:
    """The command that runs Python under the agent; installs it into `folder` the first time, and waits for that.

    Raises MissingPartError if it cannot be installed.
    """
    made = folder / _WANTED.name
    if not made.exists() or made.read_bytes() != _WANTED.read_bytes():
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        pip = [_in(folder, "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
        constraints = str(_PROJECT / "constraints.txt")
        _run([*pip, "install", "--requirement", str(_WANTED), "--constraint", constraints])
        made.write_bytes(_WANTED.read_bytes())
    others = Path(sysconfig.get_path("purelib"))
    own = folder / others.relative_to(sys.prefix)
    (own / "others.pth").write_text(f"import site; site.addsitedir({str(others)!r})\n")
    return [_in(folder, "opentelemetry-instrument"), _in(folder, "python")]


def _in(folder: Path, program: str) -> str:
    return str(folder / "bin" / program)


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - venv and pip
    if done.returncode != 0:
        problem = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise MissingPartError(f"OpenTelemetry's agent cannot be installed: {problem}")
