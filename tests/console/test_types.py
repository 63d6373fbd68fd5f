"""The types of the page's code, as its comments state them, hold."""

import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.maven import MissingPartError
from tests.conftest import require_part
from tests.console.type_checker import find_type_checker

CODE = Path(__file__).parents[2] / "service" / "console"


@pytest.fixture(scope="module")
def type_checker(pytestconfig: pytest.Config) -> Path:
    """The path of `tsc`."""
    try:
        return find_type_checker(pytestconfig.rootpath / ".local" / "typescript")
    except MissingPartError as error:
        require_part(False, str(error))
        raise


def faults(type_checker: Path, code: Path) -> list[str]:
    """What the type checker says of this code, a line each."""
    command = [str(type_checker), "--project", str(code), "--pretty", "false"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert (done.returncode == 0) == (not done.stdout), done.stderr
    return done.stdout.splitlines()


def test_types_hold(type_checker: Path) -> None:
    """Of all modules, the strict way; the settings are those that an editor takes."""
    assert faults(type_checker, CODE) == []


@pytest.mark.parametrize("line", ['/** @type {number} */ export const x = "s";', "export const f = (x) => x;"])
def test_what_is_wrong_is_found(type_checker: Path, tmp_path: Path, line: str) -> None:
    """A value of another type, and one whose type nobody says, in any module of the program."""
    code = tmp_path / "console"
    shutil.copytree(CODE, code)
    (code / "app" / "wrong.js").write_text(line)
    assert any("app/wrong.js(1," in fault for fault in faults(type_checker, code))
